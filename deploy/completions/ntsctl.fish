# Completion of ntsctl for fish. Installed as /usr/share/fish/vendor_completions.d/ntsctl.fish.

set -l commands status stats top clients keys reload drain log-level check query
set -l keys rotate revoke export import

complete -c ntsctl -f
complete -c ntsctl -l socket -r -F -d 'The control socket of ntsd'
complete -c ntsctl -l json -d 'Print JSON'
complete -c ntsctl -l help -d 'Say what there is'
complete -c ntsctl -l version -d 'Print the version'

complete -c ntsctl -n "not __fish_seen_subcommand_from $commands" -a status -d 'One screen of all that matters'
complete -c ntsctl -n "not __fish_seen_subcommand_from $commands" -a stats -d 'Every counter'
complete -c ntsctl -n "not __fish_seen_subcommand_from $commands" -a top -d 'What happens each second'
complete -c ntsctl -n "not __fish_seen_subcommand_from $commands" -a clients -d 'The busiest networks'
complete -c ntsctl -n "not __fish_seen_subcommand_from $commands" -a keys -d 'The keys that seal cookies'
complete -c ntsctl -n "not __fish_seen_subcommand_from $commands" -a reload -d 'Read the configuration again'
complete -c ntsctl -n "not __fish_seen_subcommand_from $commands" -a drain -d 'Finish what is under way, then end'
complete -c ntsctl -n "not __fish_seen_subcommand_from $commands" -a log-level -d 'Change how much is logged'
complete -c ntsctl -n "not __fish_seen_subcommand_from $commands" -a check -d 'Is this server fit to serve?'
complete -c ntsctl -n "not __fish_seen_subcommand_from $commands" -a query -d 'Ask any server for the time'

complete -c ntsctl -n '__fish_seen_subcommand_from top' -l interval -x -d 'Seconds between looks'
complete -c ntsctl -n '__fish_seen_subcommand_from top clients' -s n -l count -x -d 'How many'
complete -c ntsctl -n '__fish_seen_subcommand_from clients' -l sort -x -a 'rate drops' -d 'By what'
complete -c ntsctl -n "__fish_seen_subcommand_from keys; and not __fish_seen_subcommand_from $keys" -a rotate -d 'Take the next key into use now'
complete -c ntsctl -n "__fish_seen_subcommand_from keys; and not __fish_seen_subcommand_from $keys" -a revoke -d 'Stop a key at once'
complete -c ntsctl -n "__fish_seen_subcommand_from keys; and not __fish_seen_subcommand_from $keys" -a export -d 'Write the keys to a new file'
complete -c ntsctl -n "__fish_seen_subcommand_from keys; and not __fish_seen_subcommand_from $keys" -a import -d 'Take over the keys of a file'
complete -c ntsctl -n '__fish_seen_subcommand_from revoke' -a all -d 'All keys'
complete -c ntsctl -n '__fish_seen_subcommand_from export import' -F -l format -x -a 'ntsd chrony' -d 'Of the file'
complete -c ntsctl -n '__fish_seen_subcommand_from log-level' -a 'debug info warning error'
complete -c ntsctl -n '__fish_seen_subcommand_from query' -a '(__fish_print_hostnames)'
complete -c ntsctl -n '__fish_seen_subcommand_from query' -l ke-port -x -d 'Port of NTS-KE'
complete -c ntsctl -n '__fish_seen_subcommand_from query' -l ntp-port -x -d 'Port of NTP'
complete -c ntsctl -n '__fish_seen_subcommand_from query' -l ca -r -F -d 'Trust these certificates'
complete -c ntsctl -n '__fish_seen_subcommand_from query' -l insecure -d 'Take any certificate'
complete -c ntsctl -n '__fish_seen_subcommand_from query' -l aead -x -a '15 17 30' -d 'Offer only this one'
complete -c ntsctl -n '__fish_seen_subcommand_from query' -l count -x -d 'Samples'
complete -c ntsctl -n '__fish_seen_subcommand_from query' -l plain -d 'Without NTS'
complete -c ntsctl -n '__fish_seen_subcommand_from query' -l timeout -x -d 'For each answer'
