package io.fastsafetensors.cli;

import java.io.PrintStream;
import org.jspecify.annotations.Nullable;

/// The list of commands.
final class Usage {
    private static final String[] NAMES = {"ls", "verify", "load", "convert", "align", "split", "merge", "diff",
        "doctor", "demo"};

    private Usage() {
    }

    /// Makes a command, and loads no class of the others.
    static @Nullable Command command(String name) {
        return switch (name) {
            case "ls" -> new LsCommand();
            case "verify" -> new VerifyCommand();
            case "load" -> new LoadCommand();
            case "convert" -> new ConvertCommand();
            case "align" -> new AlignCommand();
            case "split" -> new SplitCommand();
            case "merge" -> new MergeCommand();
            case "diff" -> new DiffCommand();
            case "doctor" -> new DoctorCommand();
            case "demo" -> new DemoCommand();
            default -> null;
        };
    }

    static String summary(String name) {
        return switch (name) {
            case "ls" -> "List tensors: names, dtypes, shapes, places. Only headers are read.";
            case "verify" -> "Check files and checkpoints against the format.";
            case "load" -> "Load a checkpoint to a device, and say how fast each stage was.";
            case "convert" -> "Write a checkpoint anew in another dtype.";
            case "align" -> "Write a checkpoint anew with its data on whole pages.";
            case "split" -> "Write a checkpoint anew as shards and an index.";
            case "merge" -> "Write the shards of a checkpoint anew as one file.";
            case "diff" -> "Compare two checkpoints, tensor by tensor.";
            case "doctor" -> "Say what works on this machine, and why the rest does not.";
            case "demo" -> "Write a checkpoint of 1 GiB, load it, check every byte, clean up.";
            default -> throw new IllegalArgumentException(name);
        };
    }

    static void print(PrintStream target) {
        target.println("fst: fast safetensors loading");
        target.println();
        target.println("usage: fst COMMAND [OPTION...] [PATH...]");
        target.println();
        for (String name : NAMES) {
            target.println("  " + name + " ".repeat(9 - name.length()) + summary(name));
        }
        target.println();
        target.println("A PATH is a .safetensors file, a directory of shards, or a model.safetensors.index.json.");
        target.println("fst COMMAND --help lists a command's options. Exit status: 0 done, 1 refused, 2 wrong usage.");
    }
}
