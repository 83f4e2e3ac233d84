package io.fastsafetensors.cli;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
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
final class Syntax {
    private final CommandSpec spec = CommandSpec.create();

    /// An option without a value.
    Syntax flag(String name, String description) {
        spec.addOption(OptionSpec.builder(name).arity("0").type(boolean.class).description(description).build());
        return this;
    }

    /// An option with a value.
    Syntax value(String name, String label, String description) {
        spec.addOption(OptionSpec.builder(name).paramLabel(label).type(String.class).description(description).build());
        return this;
    }

    /// An option whose value is the name of one of these constants in lower case: what [Line#oneOf] reads.
    Syntax choice(String name, String label, String description, Enum<?>[] constants) {
        spec.addOption(OptionSpec.builder(name).paramLabel(label).type(String.class).description(description)
                .completionCandidates(() -> Arrays.stream(constants).map(each -> each.name().toLowerCase(Locale.ROOT))
                        .iterator())
                .build());
        return this;
    }

    /// An option with a value that may be given more than once.
    Syntax values(String name, String label, String description) {
        spec.addOption(OptionSpec.builder(name).paramLabel(label).arity("1").type(List.class)
                .auxiliaryTypes(String.class).description(description + "; may be repeated").build());
        return this;
    }

    /// How many paths there are.
    Syntax paths(int fewest, int most, String description) {
        return paths(fewest, most, List.of(), description);
    }

    /// How many paths there are, where the first may be a word instead.
    Syntax paths(int fewest, int most, List<String> words, String description) {
        if (most > 0) {
            boolean open = most == Integer.MAX_VALUE;
            spec.addPositional(PositionalParamSpec.builder().paramLabel("PATH")
                    .index("0.." + (open ? "*" : Integer.toString(most - 1)))
                    .arity(fewest + ".." + (open ? "*" : Integer.toString(most))).required(fewest > 0).type(List.class)
                    .auxiliaryTypes(String.class).description(description)
                    .completionCandidates(words.isEmpty() ? null : words).build());
        }
        return this;
    }

    /// Paths of different roles, each under its own name and all required.
    ///
    /// @param operands name and description of each, in turns
    Syntax operands(String... operands) {
        for (int i = 0; i < operands.length; i += 2) {
            spec.addPositional(PositionalParamSpec.builder().paramLabel(operands[i]).index(Integer.toString(i / 2))
                    .arity("1").required(true).type(String.class).description(operands[i + 1]).build());
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
        ParseResult result;
        try {
            result = new CommandLine(spec).setExpandAtFiles(false).parseArgs(args.toArray(String[]::new));
        } catch (UnmatchedArgumentException e) {
            List<String> close = e.isUnknownOption() ? e.getSuggestions() : List.of();
            throw new UsageException(
                    e.getMessage() + (close.isEmpty() ? "" : "; did you mean " + close.getFirst() + "?"));
        } catch (ParameterException e) {
            throw new UsageException(String.valueOf(e.getMessage()));
        }
        Map<String, List<String>> given = new LinkedHashMap<>();
        for (OptionSpec option : result.matchedOptions()) {
            given.put(option.longestName(), option.stringValues());
        }
        List<String> paths = new ArrayList<>();
        // An operand is matched once for each run of words between options, and has all its words each time.
        new LinkedHashSet<>(result.matchedPositionals()).forEach(operand -> paths.addAll(operand.stringValues()));
        return new Line(given, paths);
    }

    /// The model of the command line.
    CommandSpec spec() {
        return spec;
    }

    /// Prints the help of a command.
    void print(String command, String summary, PrintStream target) {
        spec.name("fst " + command);
        spec.usageMessage().description(summary);
        new CommandLine(spec).usage(target, Ansi.OFF);
    }
}
