package io.fastsafetensors.cli;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What a command takes. Made by hand rather than by a library: an option parser that the JVM's cache of classes cannot
/// hold cost more time than everything else that `fst ls` does.
final class Syntax {
    /// An option.
    ///
    /// @param name with its dashes
    /// @param label what stands for its value in the help, null if it takes none
    /// @param repeatable whether it may be given more than once
    /// @param description one line
    private record Option(String name, @Nullable String label, boolean repeatable, String description) {
        String usage() {
            return label == null ? name : name + " " + label;
        }
    }

    private final Map<String, Option> options = new LinkedHashMap<>();
    private int fewestPaths;
    private int mostPaths;
    private String pathDescription = "";

    /// An option without a value.
    Syntax flag(String name, String description) {
        options.put(name, new Option(name, null, false, description));
        return this;
    }

    /// An option with a value.
    Syntax value(String name, String label, String description) {
        options.put(name, new Option(name, label, false, description));
        return this;
    }

    /// An option with a value that may be given more than once.
    Syntax values(String name, String label, String description) {
        options.put(name, new Option(name, label, true, description + "; may be repeated"));
        return this;
    }

    /// How many paths there are.
    Syntax paths(int fewest, int most, String description) {
        fewestPaths = fewest;
        mostPaths = most;
        pathDescription = description;
        return this;
    }

    /// The option that [Line#format()] reads.
    Syntax format() {
        return value("--format", "FORMAT", "text (default), tsv or json");
    }

    /// Reads a command line: options and paths in any order, `--name value` or `--name=value`, only paths after `--`.
    ///
    /// @throws UsageException if it is not of this syntax
    Line parse(List<String> args) {
        Map<String, List<String>> given = new LinkedHashMap<>();
        List<String> paths = new ArrayList<>();
        boolean onlyPaths = false;
        for (int i = 0; i < args.size(); i++) {
            String arg = args.get(i);
            if (onlyPaths || !arg.startsWith("-") || arg.equals("-")) {
                paths.add(arg);
            } else if (arg.equals("--")) {
                onlyPaths = true;
            } else {
                int equals = arg.indexOf('=');
                Option option = option(equals < 0 ? arg : arg.substring(0, equals));
                String value = "";
                if (option.label != null) {
                    if (equals < 0 && i + 1 == args.size()) {
                        throw new UsageException(option.name + " needs a value: " + option.usage());
                    }
                    value = equals < 0 ? args.get(++i) : arg.substring(equals + 1);
                } else if (equals >= 0) {
                    throw new UsageException(option.name + " takes no value");
                }
                List<String> values = given.computeIfAbsent(option.name, key -> new ArrayList<>());
                if (!values.isEmpty() && !option.repeatable) {
                    throw new UsageException(option.name + " is given twice");
                }
                values.add(value);
            }
        }
        if (paths.size() < fewestPaths) {
            throw new UsageException("a PATH is missing: " + pathDescription);
        }
        if (paths.size() > mostPaths) {
            throw new UsageException("\"" + paths.get(mostPaths) + "\" is one argument too many");
        }
        return new Line(given, paths);
    }

    /// Prints the help of a command.
    void print(String command, String summary, PrintStream target) {
        String paths = mostPaths == 0 ? "" : mostPaths == 1 ? " [PATH]" : " PATH...";
        target.println("usage: fst " + command + " [OPTION...]" + paths);
        target.println(summary);
        target.println();
        int width = "PATH".length();
        for (Option option : options.values()) {
            width = Math.max(width, option.usage().length());
        }
        if (mostPaths > 0) {
            printLine("PATH", pathDescription, width, target);
        }
        for (Option option : options.values()) {
            printLine(option.usage(), option.description, width, target);
        }
    }

    private static void printLine(String left, String right, int width, PrintStream target) {
        target.println("  " + left + " ".repeat(width - left.length() + 2) + right);
    }

    private Option option(String name) {
        Option option = options.get(name);
        if (option == null) {
            throw new UsageException("no option " + name);
        }
        return option;
    }
}
