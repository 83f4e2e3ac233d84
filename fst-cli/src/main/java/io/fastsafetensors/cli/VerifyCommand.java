package io.fastsafetensors.cli;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.types.Location;

/// `fst verify`: the format's verdict on each path.
final class VerifyCommand implements Command {
    private static final String DIGESTS = "--digests";

    @Override
    public void describe(Syntax syntax) {
        syntax.paths(1, Integer.MAX_VALUE, "files, directories or index files");
        syntax.flag("--lenient", "accept bytes after the last tensor, and headers over 100 MB");
        syntax.flag(DIGESTS, "also compare every tensor with the SHA-256 in its file's metadata");
        syntax.format();
    }

    @Override
    public int run(Line line, Screen screen) {
        OpenOptions options = line.isSet("--lenient") ? OpenOptions.lenientMode() : OpenOptions.strict();
        Table.Format format = line.format();
        Table table = new Table("path", "verdict", "message").wrapLast();
        int refused = 0;
        int paths = 0;
        for (String argument : line.paths()) {
            Location path = Line.location(argument);
            paths++;
            try {
                Checkpoint checkpoint = Safetensors.open(path, options);
                String found = Sizes.count(checkpoint.tensors().size(), "tensor") + ", "
                        + Sizes.human(checkpoint.byteSize());
                int missing = line.isSet(DIGESTS) ? withoutDigest(path, checkpoint, options, screen) : 0;
                if (missing > 0) {
                    table.add(Cell.text(Arguments.shown(argument)), Cell.text("NoDigest", Screen.Style.BAD),
                            Cell.text(missing + " of " + found + " have no digest; fst align --digests writes some"));
                    refused++;
                } else {
                    table.add(Cell.text(Arguments.shown(argument)), Cell.text("OK", Screen.Style.GOOD),
                            Cell.text(found));
                }
            } catch (FstException e) {
                table.add(Cell.text(Arguments.shown(argument)), Cell.text(e.errorName(), Screen.Style.BAD),
                        Cell.text(messageOf(e)));
                refused++;
                if (line.isSet("--stacktrace")) {
                    e.printStackTrace(screen.err());
                }
            }
        }
        table.print(format, screen);
        if (format == Table.Format.TEXT && paths > 1) {
            screen.out().println(refused == 0 ? "all " + paths + " are valid" : refused + " of " + paths + " refused");
        }
        return refused == 0 ? 0 : 1;
    }

    /// The message without the verdict, which has a column of its own.
    private static String messageOf(FstException e) {
        String message = String.valueOf(e.getMessage());
        String verdict = e.errorName() + ": ";
        return message.startsWith(verdict) ? message.substring(verdict.length()) : message;
    }

    private static int withoutDigest(Location path, Checkpoint checkpoint, OpenOptions options, Screen screen) {
        try (ProgressBar bar = new ProgressBar("digesting", screen)) {
            return checkpoint.tensors().size() - TensorDigests.compare(path, options, bar);
        }
    }
}
