package io.fastsafetensors.cli;

import io.fastsafetensors.types.DType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/// Describes the whole command line as one picocli model, from which completion scripts and manual pages are made. The
/// command itself builds only the part that it runs.
public final class CommandModel {
    private static final Set<String> PATHS = Set.of("PATH", "IN", "OUT", "INDIR", "OUTDIR", "A", "B", "FILE", "DIR",
            "SOCKET", "SPEC");
    private static final Map<String, List<String>> WORDS = Map.of("DTYPE",
            Arrays.stream(DType.values()).map(DType::name).toList(), "DEVICE",
            List.of("auto", "cpu", "cuda:0", "rocm:0", "opencl:0", "gpu:0"));

    private CommandModel() {
    }

    /// Makes the model: `fst` with a subcommand for each command. Values that are files have the type [Path], and values
    /// of which there are few are named as completion candidates.
    public static CommandLine create() {
        CommandSpec root = CommandSpec.create().name("fst").version(Main.version());
        root.usageMessage().description("Loads, checks, compares and rewrites safetensors checkpoints.")
                .exitCodeListHeading("%nExit status%n")
                .exitCodeList(exitCodes()).footerHeading("%nEnvironment%n").footer(
                        "FST_JAVA_HOME: a JDK 25 or newer, instead of the runtime that came along or the first one found",
                        "FST_JAVA_OPTS: options for Java, such as -Xmx4g",
                        "FST_MODULE_PATH: more jars or directories of jars: backends, storages and transports of your own",
                        "FST_CACHE_DIR: the directory of Java's cache of classes, instead of ~/.cache/fst",
                        "FST_CACHE: the directory of the cache of remote checkpoints, instead of ~/.cache/fst/remote",
                        "NO_COLOR: no colours");
        root.addOption(OptionSpec.builder("--help").arity("0").type(boolean.class)
                .description("print the list of commands").build());
        root.addOption(OptionSpec.builder("--version").arity("0").type(boolean.class).description("print the version")
                .build());
        for (String name : Usage.names()) {
            root.addSubcommand(name, command(name));
        }
        CommandSpec help = CommandSpec.create().addPositional(PositionalParamSpec.builder().paramLabel("COMMAND")
                .index("0").arity("0..1").type(String.class).description("the command that is explained")
                .completionCandidates(Usage.names()).build());
        help.usageMessage().description("Explain a command.");
        root.addSubcommand("help", help);
        return new CommandLine(root);
    }

    private static Map<String, String> exitCodes() {
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "done");
        codes.put("1", "the data or the machine refuses");
        codes.put("2", "wrong usage");
        return codes;
    }

    private static CommandSpec command(String name) {
        Syntax syntax = Main.syntax(Objects.requireNonNull(Usage.command(name), name));
        CommandSpec spec = CommandSpec.create();
        spec.usageMessage().description(Usage.summary(name));
        syntax.spec().options().forEach(option -> spec.addOption(known(option)));
        syntax.spec().positionalParameters().forEach(operand -> spec.addPositional(known(operand)));
        return spec;
    }

    // A copy by toBuilder() would keep the type.
    private static OptionSpec known(OptionSpec option) {
        OptionSpec.Builder known = OptionSpec.builder(option.longestName()).paramLabel(option.paramLabel())
                .arity(option.arity().toString()).description(option.description())
                .completionCandidates(option.completionCandidates());
        if (option.arity().max() == 0) {
            return known.type(boolean.class).build();
        }
        if (WORDS.containsKey(option.paramLabel())) {
            known.completionCandidates(WORDS.get(option.paramLabel()));
        }
        Class<?> type = isPath(option.paramLabel()) ? Path.class : String.class;
        return option.isMultiValue() ? known.type(List.class).auxiliaryTypes(type).build() : known.type(type).build();
    }

    private static PositionalParamSpec known(PositionalParamSpec operand) {
        PositionalParamSpec.Builder known = PositionalParamSpec.builder().paramLabel(operand.paramLabel())
                .index(operand.index().toString()).arity(operand.arity().toString()).required(operand.required())
                .description(operand.description()).completionCandidates(operand.completionCandidates());
        if (operand.paramLabel().contains("|")) {
            known.completionCandidates(List.of(operand.paramLabel().split("\\|", -1)));
        }
        Class<?> type = isPath(operand.paramLabel()) ? Path.class : String.class;
        return operand.isMultiValue() ? known.type(List.class).auxiliaryTypes(type).build()
                : known.type(type).build();
    }

    private static boolean isPath(String label) {
        return PATHS.contains(label);
    }

    /// Whether the value of an option or operand of the model is a file.
    static boolean isPath(ArgSpec argument) {
        return isPath(argument.paramLabel());
    }

    /// The words that the value of an option or operand of the model may be; none if it may be anything.
    static List<String> words(ArgSpec argument) {
        List<String> words = new ArrayList<>();
        if (argument.completionCandidates() != null) {
            argument.completionCandidates().forEach(words::add);
        }
        return words;
    }

    /// The subcommands of the model with their summaries, in order.
    static Map<String, String> summaries(CommandSpec root) {
        return root.subcommands().entrySet().stream().collect(Collectors.toMap(Map.Entry::getKey,
                entry -> entry.getValue().getCommandSpec().usageMessage().description()[0], (a, _) -> a,
                LinkedHashMap::new));
    }
}
