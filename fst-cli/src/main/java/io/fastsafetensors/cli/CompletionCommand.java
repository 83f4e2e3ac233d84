package io.fastsafetensors.cli;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/// `fst completion bash|zsh|fish`: a completion script, made from the model of the command line.
final class CompletionCommand implements Command {
    /// The lines that picocli makes for a path that may be a word instead: they propose the words alone.
    private static final String BASH_WORDS = "positionals=$( compReplyArray \"${PATH_pos_param_args[@]}\" )";
    private static final String BASH_WORDS_OR_FILES = "type compopt &>/dev/null && compopt -o filenames\n"
            + "      positionals=$( compReplyArray \"${PATH_pos_param_args[@]}\"; compgen -f -- \"${curr_word}\" )";
    /// The end of each of picocli's functions. `compgen -W` expands its words: it would run what a file's name says.
    private static final String BASH_EXPANDED =
            "$(compgen -W \"${commands// /$'\\n'}${IFS}${positionals}\" -- \"${curr_word}\")";
    private static final String BASH_TAKEN_AS_THEY_ARE = "$(compgen -W \"${commands// /$'\\n'}\" -- \"${curr_word}\"\n"
            + "      while read -r word; do [[ $word == \"$curr_word\"* ]] && printf '%s\\n' \"$word\"; done <<<\"$positionals\")";

    @Override
    public void describe(Syntax syntax) {
        syntax.operands("bash|zsh|fish", "the shell; bash: source <(fst completion bash), zsh: source <(fst completion"
                + " zsh), fish: fst completion fish | source");
    }

    @Override
    public int run(Line line, Screen screen) {
        CommandLine model = CommandModel.create();
        screen.out().print(switch (line.paths().getFirst()) {
            case "bash" -> bash(model);
            case "zsh" -> zsh(model.getCommandSpec());
            case "fish" -> fish(model.getCommandSpec());
            default -> throw new UsageException("expected bash, zsh or fish, found " + line.paths().getFirst());
        });
        return 0;
    }

    // The time of its making would make each script another one.
    private static String bash(CommandLine model) {
        return AutoComplete.bash("fst", model).lines().filter(line -> !line.startsWith("# Date:"))
                .collect(Collectors.joining("\n", "", "\n")).replace(BASH_WORDS, BASH_WORDS_OR_FILES)
                .replace(BASH_EXPANDED, BASH_TAKEN_AS_THEY_ARE);
    }

    private static String zsh(CommandSpec model) {
        StringBuilder script = new StringBuilder(
                """
                        #compdef fst
                        _fst() {
                          local curcontext=$curcontext state state_descr line
                          typeset -A opt_args
                          _arguments -C '--help[print the list of commands]' '--version[print the version]' '1:command:->command' '*::argument:->argument'
                          case $state in
                            command)
                              local -a commands=(
                        """);
        CommandModel.summaries(model).forEach(
                (name, summary) -> script.append("        ").append(quote(name + ":" + summary)).append('\n'));
        script.append("""
                      )
                      _describe command commands
                      ;;
                    argument)
                      case $words[1] in
                """);
        model.subcommands().forEach((name, command) -> {
            script.append("        ").append(name).append(")\n          _arguments -S");
            for (OptionSpec option : command.getCommandSpec().options()) {
                script.append(" \\\n            ")
                        .append(quote((option.isMultiValue() ? "*" : "") + option.longestName()
                                + (option.arity().max() > 0 ? "=" : "") + "[" + escape(option.description()[0]) + "]"
                                + (option.arity().max() > 0 ? zshValue(option) : "")));
            }
            for (PositionalParamSpec operand : command.getCommandSpec().positionalParameters()) {
                boolean many = operand.index().max() - operand.index().min() > 0;
                script.append(" \\\n            ")
                        .append(quote((many ? "*" : Integer.toString(operand.index().min() + 1)) + zshValue(operand)));
            }
            script.append("\n          ;;\n");
        });
        return script.append("""
                      esac
                      ;;
                  esac
                }
                if [[ $funcstack[1] == _fst ]]; then
                  _fst "$@"
                else
                  compdef _fst fst
                fi
                """).toString();
    }

    private static String zshValue(ArgSpec argument) {
        List<String> words = CommandModel.words(argument);
        String list = words.stream().map(CompletionCommand::escape).collect(Collectors.joining(" ", "(", ")"));
        return ":" + escape(argument.paramLabel()) + ":" + (CommandModel.isPath(argument)
                ? words.isEmpty() ? "_files" : "{_alternative \"word:word:" + list + "\" \"file:file:_files\"}"
                : words.isEmpty() ? " " : list);
    }

    // In the specifications of _arguments these have a meaning.
    private static String escape(String text) {
        return text.replaceAll("[\\\\\\[\\]:]", "\\\\$0");
    }

    private static String fish(CommandSpec model) {
        StringBuilder script = new StringBuilder("complete -c fst -f\n");
        String first = "complete -c fst -n __fish_use_subcommand";
        CommandModel.summaries(model).forEach((name, summary) -> script.append(first).append(" -a ").append(name)
                .append(" -d ").append(fishQuote(summary)).append('\n'));
        script.append(first).append(" -l help -d 'print the list of commands'\n");
        script.append(first).append(" -l version -d 'print the version'\n");
        for (Map.Entry<String, CommandLine> each : model.subcommands().entrySet()) {
            CommandSpec command = each.getValue().getCommandSpec();
            String start = "complete -c fst -n '__fish_seen_subcommand_from " + each.getKey() + "'";
            for (OptionSpec option : command.options()) {
                script.append(start).append(" -l ").append(option.longestName().substring(2))
                        .append(option.arity().max() == 0 ? "" : CommandModel.isPath(option) ? " -r -F" : " -x")
                        .append(fishWords(option)).append(" -d ").append(fishQuote(option.description()[0]))
                        .append('\n');
            }
            for (PositionalParamSpec operand : command.positionalParameters()) {
                String value = (CommandModel.isPath(operand) ? " -F" : "") + fishWords(operand);
                script.append(value.isEmpty() ? "" : start + value + "\n");
            }
        }
        return script.toString();
    }

    private static String fishWords(ArgSpec argument) {
        List<String> words = CommandModel.words(argument);
        return words.isEmpty() ? "" : " -a " + fishQuote(String.join(" ", words));
    }

    // Between single quotes fish knows two escapes.
    private static String fishQuote(String text) {
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'";
    }

    private static String quote(String text) {
        return "'" + text.replace("'", "'\\''") + "'";
    }
}
