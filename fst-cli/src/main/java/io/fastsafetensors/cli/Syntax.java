package io.fastsafetensors.cli;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/// The arguments and options that a command takes. Described in code rather than by annotations, because reflection
/// would cost more time than everything else that `fst ls` does.
///
/// A line in which everything is as it is described is read here. Any other one is left to picocli, which says what is wrong
/// with it: picocli's classes are of a version that no cache of classes takes, and loading them takes as long as listing a
/// checkpoint does.
final class Syntax {
    private final Map<String, Option> options = new LinkedHashMap<>();
    private final List<Operand> operands = new ArrayList<>();

    /// An option.
    ///
    /// @param label what its value is called; empty for an option without one
    /// @param repeated whether it may be given more than once
    /// @param words the values that it can have; empty if there are others
    private record Option(String name, String label, String description, boolean repeated, List<String> words) {
        boolean hasValue() {
            return !label.isEmpty();
        }
    }

    /// Arguments that are no options.
    ///
    /// @param index of the first
    /// @param most [Integer#MAX_VALUE] for any number
    /// @param words what the first may be instead of a path
    private record Operand(String label, String description, int index, int fewest, int most, List<String> words) {
    }

    /// An option without a value.
    Syntax flag(String name, String description) {
        return option(new Option(name, "", description, false, List.of()));
    }

    /// An option with a value.
    Syntax value(String name, String label, String description) {
        return option(new Option(name, label, description, false, List.of()));
    }

    /// An option whose value is the name of one of these constants in lower case: what [Line#oneOf] reads.
    Syntax choice(String name, String label, String description, Enum<?>[] constants) {
        List<String> words = new ArrayList<>();
        for (Enum<?> constant : constants) {
            words.add(constant.name().toLowerCase(Locale.ROOT));
        }
        return option(new Option(name, label, description, false, words));
    }

    /// An option with a value that may be given more than once.
    Syntax values(String name, String label, String description) {
        return option(new Option(name, label, description + "; may be repeated", true, List.of()));
    }

    private Syntax option(Option option) {
        options.put(option.name, option);
        return this;
    }

    /// How many paths there are.
    Syntax paths(int fewest, int most, String description) {
        return paths(fewest, most, List.of(), description);
    }

    /// How many paths there are, where the first may be a word instead.
    Syntax paths(int fewest, int most, List<String> words, String description) {
        if (most > 0) {
            operands.add(new Operand("PATH", description, 0, fewest, most, words));
        }
        return this;
    }

    /// Paths of different roles, each under its own name and all required.
    ///
    /// @param operands name and description of each, in turns
    Syntax operands(String... operands) {
        for (int i = 0; i < operands.length; i += 2) {
            this.operands.add(new Operand(operands[i], operands[i + 1], i / 2, 1, 1, List.of()));
        }
        return this;
    }

    /// The option that [Line#format()] reads.
    Syntax format() {
        return choice("--format", "FORMAT", "text (default), tsv or json", Table.Format.values());
    }

    /// Reads a command line: options and paths in any order, `--name value` or `--name=value`, only paths after `--`.
    ///
    /// @throws UsageException if it is not of this syntax
    Line parse(List<String> args) {
        Line line = read(args);
        return line == null ? Picocli.parse(this, args) : line;
    }

    /// Null if something is not as it is described, or might be meant in another way.
    private @Nullable Line read(List<String> args) {
        Map<String, List<String>> given = new LinkedHashMap<>();
        List<String> paths = new ArrayList<>();
        for (int i = 0; i < args.size(); i++) {
            String word = args.get(i);
            if (word.equals("--")) {
                paths.addAll(args.subList(i + 1, args.size()));
                break;
            }
            if (!word.startsWith("-")) {
                paths.add(word);
                continue;
            }
            int end = word.indexOf('=');
            Option option = options.get(end < 0 ? word : word.substring(0, end));
            if (option == null || (end >= 0 && !option.hasValue())) {
                return null;
            }
            String value = "";
            if (option.hasValue()) {
                value = end >= 0 ? word.substring(end + 1) : i + 1 < args.size() ? args.get(++i) : "";
                if (value.isEmpty() || value.startsWith("-")) {
                    return null;
                }
            }
            List<String> values = given.computeIfAbsent(option.name, _ -> new ArrayList<>());
            if (!values.isEmpty() && !option.repeated) {
                return null;
            }
            values.add(value);
        }
        int fewest = 0;
        long most = 0;
        for (Operand operand : operands) {
            fewest += operand.fewest;
            most += operand.most;
        }
        return paths.size() < fewest || paths.size() > most ? null : new Line(given, paths);
    }

    /// The model of the command line, for picocli.
    CommandSpec spec() {
        CommandSpec spec = CommandSpec.create();
        for (Option option : options.values()) {
            OptionSpec.Builder builder = OptionSpec.builder(option.name).description(option.description);
            if (!option.hasValue()) {
                builder.arity("0").type(boolean.class);
            } else if (option.repeated) {
                builder.paramLabel(option.label).arity("1").type(List.class).auxiliaryTypes(String.class);
            } else {
                builder.paramLabel(option.label).type(String.class);
            }
            if (!option.words.isEmpty()) {
                builder.completionCandidates(option.words);
            }
            spec.addOption(builder.build());
        }
        for (Operand operand : operands) {
            spec.addPositional(positional(operand));
        }
        return spec;
    }

    private static PositionalParamSpec positional(Operand operand) {
        PositionalParamSpec.Builder builder =
                PositionalParamSpec.builder().paramLabel(operand.label).description(operand.description);
        if (operand.fewest == 1 && operand.most == 1 && !operand.label.equals("PATH")) {
            return builder.index(Integer.toString(operand.index)).arity("1").required(true).type(String.class).build();
        }
        if (!operand.words.isEmpty()) {
            builder.completionCandidates(operand.words);
        }
        boolean open = operand.most == Integer.MAX_VALUE;
        return builder.index("0.." + (open ? "*" : Integer.toString(operand.most - 1)))
                .arity(operand.fewest + ".." + (open ? "*" : Integer.toString(operand.most)))
                .required(operand.fewest > 0).type(List.class).auxiliaryTypes(String.class).build();
    }

    /// Prints the help of a command.
    void print(String command, String summary, PrintStream target) {
        Picocli.print(spec().name("fst " + command), summary, target);
    }

    /// Reads and explains command lines by picocli. A class of its own, so that no other one needs picocli to be verified.
    static final class Picocli {
        private Picocli() {
        }

        /// As [Syntax#parse], of any line.
        static Line parse(Syntax syntax, List<String> args) {
            ParseResult result;
            try {
                result = new CommandLine(syntax.spec()).setExpandAtFiles(false).parseArgs(args.toArray(String[]::new));
            } catch (RuntimeException e) {
                // By their names in clauses they would be loaded with this class, which a cache loads at each start.
                if (!(e instanceof ParameterException)) {
                    throw e;
                }
                List<String> close = e instanceof UnmatchedArgumentException unmatched && unmatched.isUnknownOption()
                        ? unmatched.getSuggestions() : List.of();
                throw new UsageException(
                        e.getMessage() + (close.isEmpty() ? "" : "; did you mean " + close.getFirst() + "?"));
            }
            Map<String, List<String>> given = new LinkedHashMap<>();
            for (OptionSpec option : result.matchedOptions()) {
                given.put(option.longestName(), option.arity().max() == 0 ? List.of("") : option.stringValues());
            }
            List<String> paths = new ArrayList<>();
            // One that is given in several places is matched once for each, with all of its values each time.
            result.matchedPositionals().stream().distinct().forEach(operand -> paths.addAll(operand.stringValues()));
            return new Line(given, paths);
        }

        static void print(CommandSpec spec, String summary, PrintStream target) {
            spec.usageMessage().description(summary);
            new CommandLine(spec).usage(target, Ansi.OFF);
        }
    }
}
