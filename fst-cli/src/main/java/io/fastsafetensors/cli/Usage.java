package io.fastsafetensors.cli;

import java.io.PrintStream;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The list of commands.
final class Usage {
    /// Each command with its summary, in the order of the list. A command is two lines in this class: one here, one in
    /// [#command].
    private static final String[][] COMMANDS = {
        {"ls", "List tensors (names, dtypes, shapes, offsets) from headers alone."},
        {"verify", "Check files and checkpoints against the format."},
        {"load", "Load a checkpoint to a device, and report rates and times."},
        {"bench", "Measure how fast a checkpoint loads, of what limit, and what bounds it."},
        {"convert", "Rewrite a checkpoint in another dtype."},
        {"align", "Rewrite a checkpoint with page-aligned data."},
        {"split", "Rewrite a checkpoint as shards and an index."},
        {"merge", "Rewrite a sharded checkpoint as one file."},
        {"diff", "Compare two checkpoints, tensor by tensor."},
        {"cache", "List or shrink what is kept of remote checkpoints."},
        {"doctor", "Report what works on this machine, and why the rest does not."},
        {"demo", "Write a checkpoint (1 GiB), load it, check every byte, and delete it."},
        {"completion", "Print a completion script for a shell."}};

    private static final int MOST_CHANGES = 2;

    private Usage() {
    }

    /// Makes a command, and loads no class of the others: a table of constructors would, or cost the start-up of
    /// lambdas.
    static @Nullable Command command(String name) {
        return switch (name) {
            case "ls" -> new LsCommand();
            case "verify" -> new VerifyCommand();
            case "load" -> new LoadCommand();
            case "bench" -> new BenchCommand();
            case "convert" -> new ConvertCommand();
            case "align" -> new AlignCommand();
            case "split" -> new SplitCommand();
            case "merge" -> new MergeCommand();
            case "diff" -> new DiffCommand();
            case "cache" -> new CacheCommand();
            case "doctor" -> new DoctorCommand();
            case "demo" -> new DemoCommand();
            case "completion" -> new CompletionCommand();
            default -> null;
        };
    }

    /// The names of all commands, in the order of the list.
    static List<String> names() {
        return Arrays.stream(COMMANDS).map(command -> command[0]).toList();
    }

    static String summary(String name) {
        for (String[] command : COMMANDS) {
            if (command[0].equals(name)) {
                return command[1];
            }
        }
        throw new IllegalArgumentException(name);
    }

    /// The command that was probably meant: the one that needs the fewest changes of a character, if two are enough; null
    /// if none is near.
    static @Nullable String closest(String name) {
        String closest = null;
        int fewest = MOST_CHANGES + 1;
        for (String[] command : COMMANDS) {
            String candidate = command[0];
            int changes = candidate.startsWith(name) && name.length() > 1 ? 1 : changes(name, candidate);
            if (changes < fewest && changes < candidate.length()) {
                fewest = changes;
                closest = candidate;
            }
        }
        return closest;
    }

    /// Damerau's distance: characters inserted, left out, replaced, or swapped with the next one.
    private static int changes(String from, String to) {
        int[][] least = new int[from.length() + 1][to.length() + 1];
        for (int i = 0; i <= from.length(); i++) {
            for (int k = 0; k <= to.length(); k++) {
                if (i == 0 || k == 0) {
                    least[i][k] = i + k;
                    continue;
                }
                int replaced = least[i - 1][k - 1] + (from.charAt(i - 1) == to.charAt(k - 1) ? 0 : 1);
                int best = Math.min(replaced, 1 + Math.min(least[i - 1][k], least[i][k - 1]));
                boolean swapped = i > 1 && k > 1 && from.charAt(i - 1) == to.charAt(k - 2)
                        && from.charAt(i - 2) == to.charAt(k - 1);
                least[i][k] = swapped ? Math.min(best, least[i - 2][k - 2] + 1) : best;
            }
        }
        return least[from.length()][to.length()];
    }

    static void print(PrintStream target) {
        target.println("fst: fast safetensors loading");
        target.println();
        target.println("usage: fst COMMAND [OPTION...] [PATH...]");
        target.println();
        for (String[] command : COMMANDS) {
            target.println("  " + command[0] + " ".repeat(12 - command[0].length()) + command[1]);
        }
        target.println();
        target.println("A PATH is a .safetensors file, a directory of shards, or a model.safetensors.index.json.");
        target.println("fst help COMMAND lists a command's options. Exit status: 0 done, 1 refused, 2 wrong usage.");
    }
}
