package io.fastsafetensors.cli;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.CheckpointNote;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.types.Location;
import java.util.List;

/// `fst verify`: the format's verdict on each path.
final class VerifyCommand implements Command {
    private static final String DIGESTS = "--digests";
    private static final String OK = "OK";

    @Override
    public void describe(Syntax syntax) {
        syntax.paths(1, Integer.MAX_VALUE, "files, directories or index files");
        OpenFlags.describe(syntax);
        syntax.flag(DIGESTS,
                "also compare with SHA-256: tensors with those in the metadata, files with those in SHA256SUMS or"
                        + " NAME.sha256 beside them, or in the names of Hugging Face blobs");
        syntax.format();
    }

    @Override
    public int run(Line line, Screen screen) {
        OpenOptions options = OpenFlags.of(line);
        Table.Format format = line.format();
        boolean people = format == Table.Format.TEXT;
        Table table = people ? new Table("path", "verdict", "message").wrapLast()
                : new Table("path", "verdict", "message", "notes");
        int refused = 0;
        int paths = 0;
        for (String argument : line.paths()) {
            paths++;
            Row row = judge(argument, line, options, screen);
            refused += row.verdict.equals(OK) ? 0 : 1;
            Cell verdict =
                    Cell.text(row.verdict, row.verdict.equals(OK) ? Screen.Style.GOOD : Screen.Style.BAD);
            Cell path = Cell.text(RawArguments.shown(argument));
            if (people) {
                table.add(path, verdict, Cell.text(row.message));
                row.notes.forEach(note -> table.add(Cell.text(""), Cell.text("note"), Cell.text(note)));
            } else {
                table.add(path, verdict, Cell.text(row.message), Cell.texts(row.notes));
            }
        }
        table.print(format, screen);
        if (people && paths > 1) {
            screen.out().println(refused == 0 ? "all " + paths + " are valid" : refused + " of " + paths + " refused");
        }
        return refused == 0 ? 0 : 1;
    }

    /// @param notes the notes, each with its name in brackets
    private record Row(String verdict, String message, List<String> notes) {
    }

    /// Opens it without being strict first, so that all notes are told and not only the one that it is refused for.
    private static Row judge(String argument, Line line, OpenOptions options, Screen screen) {
        Location path = Line.location(argument);
        List<String> notes = List.of();
        try {
            Checkpoint checkpoint = Safetensors.open(path, options.withStrict(false));
            notes = checkpoint.notes().stream().map(CheckpointNote::toString).toList();
            if (options.strict() && !notes.isEmpty()) {
                CheckpointNote first = checkpoint.notes().getFirst();
                return new Row(first.errorName(), first.text(), notes);
            }
            String found = Sizes.count(checkpoint.tensors().size(), "tensor") + ", "
                    + Sizes.human(checkpoint.byteSize());
            return line.isSet(DIGESTS) ? compare(path, found, notes, options, screen) : new Row(OK, found, notes);
        } catch (FstException e) {
            if (line.isSet("--stacktrace")) {
                e.printStackTrace(screen.err());
            }
            return new Row(e.errorName(), messageOf(e), notes);
        }
    }

    /// The message without the verdict, which has a column of its own.
    private static String messageOf(FstException e) {
        String message = String.valueOf(e.getMessage());
        String verdict = e.errorName() + ": ";
        return message.startsWith(verdict) ? message.substring(verdict.length()) : message;
    }

    private static Row compare(Location path, String found, List<String> notes, OpenOptions options, Screen screen) {
        try (ProgressBar bar = new ProgressBar("digesting", screen)) {
            TensorDigests.Compared compared = TensorDigests.compare(path, options.withStrict(false), bar);
            return compared.without() == 0
                    ? new Row(OK, found + (compared.told().isEmpty() ? "" : "; equal to " + compared.told()), notes)
                    : new Row("NoDigest", compared.without() + " of " + found + " have no digest"
                            + (compared.told().isEmpty() ? "" : ", the others are equal to " + compared.told())
                            + "; fst align --digests writes some", notes);
        }
    }
}
