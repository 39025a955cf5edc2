# Completion of ntsctl for bash. Installed as /usr/share/bash-completion/completions/ntsctl.

_ntsctl() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' sub='' i
  local common='--socket --json --help --version'
  # The command and its subcommand are the first words that are neither options nor their values.
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
      --socket) ((++i)) ;;
      -*) ;;
      *) if [[ -z $command ]]; then command=${COMP_WORDS[i]}; elif [[ -z $sub ]]; then sub=${COMP_WORDS[i]}; fi ;;
    esac
  done

  case $before in
    --socket | --ca) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    --format) mapfile -t COMPREPLY < <(compgen -W 'ntsd chrony' -- "$word"); return ;;
    --aead) mapfile -t COMPREPLY < <(compgen -W '15 17 30' -- "$word"); return ;;
    --sort) mapfile -t COMPREPLY < <(compgen -W 'rate drops' -- "$word"); return ;;
  esac

  local words
  case $command in
    '') words="status stats top clients keys reload drain log-level check query $common" ;;
    top) words="--interval --count $common" ;;
    clients) words="--sort --count $common" ;;
    keys)
      case $sub in
        '') words="rotate revoke export import $common" ;;
        revoke) words="all $common" ;;
        export | import)
          words="--format $common"
          if [[ $word != -* ]]; then mapfile -t COMPREPLY < <(compgen -f -- "$word"); return; fi
          ;;
        *) words=$common ;;
      esac
      ;;
    log-level) words="debug info warning error $common" ;;
    query)
      words="--ke-port --ntp-port --ca --insecure --aead --count --plain --timeout $common"
      if [[ $word != -* ]]; then mapfile -t COMPREPLY < <(compgen -A hostname -- "$word"); return; fi
      ;;
    *) words=$common ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _ntsctl ntsctl
