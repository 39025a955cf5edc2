#include "server/ntsctl/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/nearest_word.h"
#include "core/keys/key_text.h"

namespace ntsd {
namespace {

// What the options are written to while CLI11 goes over them.
struct Typed {
  std::string socket = kDefaultControlSocket;
  bool wants_json = false;
  std::string key;
  std::string format = "ntsd";
  std::string file;
  std::string level;
  std::string order = "rate";
  std::size_t count = kClientCountDefault;
  QuerySettings query;
  std::uint16_t ntp_port = 0;
  std::uint16_t aead = 0;
  double timeout_s = 5;
  double interval_s = 1;
  std::uint64_t looks = 0;
};

std::chrono::milliseconds MillisecondsOf(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

// Every subcommand of the control socket, by the name under which CLI11 finds it.
struct ControlWord {
  const CLI::App* app;
  ControlCommand command;
};

class Parser {
 public:
  Parser() : app_("Talks to a running ntsd, and asks any NTP or NTS server for the time.", "ntsctl") {
    app_.set_version_flag("--version", std::string("ntsctl ") + NTSD_VERSION);
    app_.add_option("--socket", typed_.socket, "The control socket of ntsd")->capture_default_str();
    app_.add_flag("--json", typed_.wants_json, "Print JSON");
    app_.require_subcommand(1);
    app_.fallthrough();  // `ntsctl status --json` is what people type
    AddControl(app_, "status", ControlCommand::kStatus,
               "One screen: clock, listeners, workers, rates, keys, certificates");
    AddControl(app_, "stats", ControlCommand::kStats, "Every counter");
    AddTop();
    AddClients();
    AddKeys();
    AddControl(app_, "reload", ControlCommand::kReload, "Read the configuration again and apply what can be applied");
    AddControl(app_, "drain", ControlCommand::kDrain, "Finish what is under way, then end");
    AddControl(app_, "log-level", ControlCommand::kLogLevel, "Change how much is logged")
        ->add_option("LEVEL", typed_.level, "debug, info, warning or error")
        ->required()
        ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
    AddControl(app_, "check", ControlCommand::kCheck, "Is this server fit to serve? Exit status 0 or 1");
    AddQuery();
  }

  Expected<CommandLine, CommandLineEnd> Parse(int argument_count, const char* const* arguments) {
    try {  // CLI11 reports by exceptions, --help included
      app_.parse(argument_count, arguments);
    } catch (const CLI::ParseError& error) {
      std::ostringstream out;
      std::ostringstream err;
      const int status = app_.exit(error, out, err);
      if (status == 0) return Unexpected(CommandLineEnd{0, out.str()});
      return Unexpected(CommandLineEnd{2, Complaint(error)});
    }
    if (top_->parsed()) {
      return CommandLine{typed_.wants_json, TopTask{typed_.socket, MillisecondsOf(typed_.interval_s), typed_.looks}};
    }
    if (query_->parsed()) return CommandLine{typed_.wants_json, QueryTyped()};
    Expected<ControlTask, std::string> task = ControlTyped();
    if (!task) return Unexpected(CommandLineEnd{2, "ntsctl: " + task.error() + "\n"});
    return CommandLine{typed_.wants_json, *std::move(task)};
  }

 private:
  // What is wrong, in the words of the command that was meant, and where its help is.
  std::string Complaint(const CLI::ParseError& error) const {
    std::string words = "ntsctl";
    const CLI::App* app = &app_;
    while (!app->get_subcommands().empty()) {
      app = app->get_subcommands().front();
      words += " " + app->get_name();
    }
    const std::vector<std::string> unknown = app_.remaining(true);
    const std::string problem = unknown.empty() ? error.what() : ExplainUnknown(*app, unknown.front());
    return fmt::format("{}: {}\n`{} --help` says what there is\n", words, problem, words);
  }

  std::string ExplainUnknown(const CLI::App& app, const std::string& word) const {
    std::vector<std::string_view> known;
    std::vector<std::string> options;
    if (word.starts_with('-')) {
      for (const CLI::App* one = &app; one != nullptr; one = one->get_parent()) {
        for (const CLI::Option* option : one->get_options()) {
          if (option->nonpositional()) options.push_back(option->get_name());
        }
      }
      known.assign(options.begin(), options.end());
      return ExplainUnknownWord("option", word.substr(0, word.find('=')), known);
    }
    for (const CLI::App* one : app.get_subcommands({})) known.push_back(one->get_name());
    if (known.empty()) return "nothing is expected after it, got " + word;
    return ExplainUnknownWord("command", word, known);
  }

  CLI::App* AddControl(CLI::App& parent, const char* name, ControlCommand command, const char* help) {
    CLI::App* const app = parent.add_subcommand(name, help);
    words_.push_back({app, command});
    return app;
  }

  void AddTop() {
    top_ = app_.add_subcommand("top", "What happens each second, until Ctrl-C");
    top_->add_option("--interval", typed_.interval_s, "Seconds between looks")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    top_->add_option("-n,--count", typed_.looks, "Looks; 0: no end")->capture_default_str();
  }

  void AddClients() {
    CLI::App* const clients = AddControl(app_, "clients", ControlCommand::kClients,
                                         "The busiest networks, where limits.ntp.clients lists them");
    clients->add_option("--sort", typed_.order, "By rate, or by drops: what was refused")
        ->check(CLI::IsMember({"rate", "drops"}))
        ->capture_default_str();
    clients->add_option("-n,--count", typed_.count, "How many")
        ->check(CLI::Range(std::size_t{1}, kClientCountMax))
        ->capture_default_str();
  }

  void AddKeys() {
    CLI::App* const keys = AddControl(app_, "keys", ControlCommand::kKeys, "The keys that seal cookies");
    keys->require_subcommand(0, 1);
    AddControl(*keys, "rotate", ControlCommand::kKeysRotate, "Take the next key into use now");
    AddControl(*keys, "revoke", ControlCommand::kKeysRevoke, "Stop a key from opening and sealing at once")
        ->add_option("ID", typed_.key, "The id of the key, or all")
        ->required();
    for (const auto& [name, command, help] :
         {std::tuple("export", ControlCommand::kKeysExport, "Write the keys to a new file"),
          std::tuple("import", ControlCommand::kKeysImport, "Take over the keys of a file")}) {
      CLI::App* const app = AddControl(*keys, name, command, help);
      app->add_option("--format", typed_.format, "ntsd, or chrony (ntskeys)")
          ->check(CLI::IsMember({"ntsd", "chrony"}))
          ->capture_default_str();
      app->add_option("FILE", typed_.file, "The file; - is standard output or input")->required();
    }
  }

  void AddQuery() {
    query_ = app_.add_subcommand("query",
                                 "Ask any server for the time; exit status 0 only if every sample is authenticated");
    query_->add_option("HOST", typed_.query.host, "A name or an address")->required();
    query_->add_option("--ke-port", typed_.query.ke_port, "Port of NTS-KE")->capture_default_str();
    query_->add_option("--ntp-port", typed_.ntp_port, "Port of NTP; default: what NTS-KE says, or 123");
    CLI::Option* const ca = query_->add_option("--ca", typed_.query.ca_file, "Trust the certificates in this file");
    query_->add_flag("--insecure", typed_.query.is_insecure, "Take any certificate")->excludes(ca);
    CLI::Option* const aead = query_->add_option("--aead", typed_.aead, "Offer only this AEAD: 15, 17 or 30")
                                  ->check(CLI::IsMember({15, 17, 30}));
    query_->add_option("--count", typed_.query.count, "Samples")->check(CLI::Range(1, 1000))->capture_default_str();
    query_->add_flag("--plain", typed_.query.is_plain, "Without NTS")->excludes(ca)->excludes(aead);
    query_->add_option("--timeout", typed_.timeout_s, "Seconds for NTS-KE, and for each answer")
        ->check(CLI::Range(0.01, 600.0))
        ->capture_default_str();
  }

  QuerySettings QueryTyped() {
    QuerySettings settings = typed_.query;
    if (typed_.ntp_port != 0) settings.ntp_port = typed_.ntp_port;
    if (typed_.aead != 0) settings.aead = typed_.aead;
    settings.timeout = MillisecondsOf(typed_.timeout_s);
    return settings;
  }

  Expected<ControlTask, std::string> ControlTyped() {
    ControlTask task{typed_.socket, {}, typed_.file};
    // `keys` stands before its subcommands, so that the last that was typed counts.
    for (const ControlWord& word : words_) {
      if (word.app->parsed()) task.request.command = word.command;
    }
    task.request.level = ParseLogLevel(typed_.level).value_or(LogLevel::kInfo);
    task.request.order = typed_.order == "drops" ? ClientOrder::kDrops : ClientOrder::kRate;
    task.request.count = typed_.count;
    task.request.format = typed_.format == "chrony" ? KeyFileFormat::kChrony : KeyFileFormat::kNtsd;
    if (task.request.command == ControlCommand::kKeysRevoke && typed_.key != "all") {
      task.request.key_id = ParseKeyId(typed_.key);
      if (!task.request.key_id) {
        return Unexpected("keys revoke: expected the hexadecimal digits of a key's id, or all; got " + typed_.key);
      }
    }
    return task;
  }

  Typed typed_;
  CLI::App app_;
  CLI::App* query_ = nullptr;
  CLI::App* top_ = nullptr;
  std::vector<ControlWord> words_;
};

}  // namespace

Expected<CommandLine, CommandLineEnd> ParseCommandLine(int argument_count, const char* const* arguments) {
  return Parser().Parse(argument_count, arguments);
}

}  // namespace ntsd
