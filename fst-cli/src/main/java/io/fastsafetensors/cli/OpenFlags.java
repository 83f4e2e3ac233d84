package io.fastsafetensors.cli;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.CheckpointNote;
import io.fastsafetensors.api.OpenOptions;

/// Reads the options of every command that opens a checkpoint: which files count, and what is accepted.
final class OpenFlags {
    private static final String LENIENT = "--lenient";
    private static final String STRICT = "--strict";
    private static final String ONLY_INDEXED = "--only-indexed";
    private static final String VARIANT = "--variant";

    private OpenFlags() {
    }

    /// Adds the options.
    static void describe(Syntax syntax) {
        describe(syntax, "refuse what would only be a note about index, shards and directory");
    }

    /// Adds the options to a command where being strict means more.
    static void describe(Syntax syntax, String strict) {
        syntax.flag(LENIENT,
                "accept bytes after the last tensor, headers over 100 MB, and unknown dtypes as opaque bytes");
        syntax.flag(STRICT, strict);
        syntax.flag(ONLY_INDEXED, "leave out the tensors that an index does not name");
        syntax.value(VARIANT, "NAME", "the variant of a directory's files and indexes, such as fp16");
    }

    /// What the line says.
    static OpenOptions of(Line line) {
        return of(line, OpenOptions.defaults());
    }

    /// What the line says, and for the rest what was said before.
    static OpenOptions of(Line line, OpenOptions before) {
        OpenOptions options = line.isSet(LENIENT) && !before.lenient() ? before.withLenient(true) : before;
        options = line.isSet(STRICT) ? options.withStrict(true) : options;
        options = line.isSet(ONLY_INDEXED) ? options.withOnlyIndexed(true) : options;
        OpenOptions all = options;
        return line.isSet(VARIANT) ? line.read(VARIANT, "", all::withVariant) : all;
    }

    /// Tells the notes of a checkpoint to whoever ran the command.
    static void tell(String command, Checkpoint checkpoint, Screen screen) {
        for (CheckpointNote note : checkpoint.notes()) {
            screen.err().println("fst " + command + ": note: " + Json.printable(note.toString()));
        }
    }
}
