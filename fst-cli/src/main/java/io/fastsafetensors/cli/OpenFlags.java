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
    private static final String STORAGE = "--storage";
    /// Where what is fetched from other machines is kept.
    static final String CACHE = "--cache";

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
        syntax.value(CACHE, "DIR",
                "keep what is fetched from other machines here, and read it from here the next time");
        syntax.values(STORAGE, "NAME=VALUE", "a property of storages, such as s3.region=eu-central-1");
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
        for (String property : line.values(STORAGE)) {
            int equals = property.indexOf('=');
            if (equals < 1) {
                // The text may be a secret.
                throw new UsageException(STORAGE + ": expected NAME=VALUE");
            }
            options = options.withStorageProperty(property.substring(0, equals), property.substring(equals + 1));
        }
        OpenOptions all = cache(line, options);
        return line.isSet(VARIANT) ? line.read(VARIANT, "", all::withVariant) : all;
    }

    /// The same with the cache's directory, if the line names one.
    static OpenOptions cache(Line line, OpenOptions before) {
        return line.isSet(CACHE) ? before.withStorageProperty("cache.directory",
                Line.path(line.value(CACHE, "")).toAbsolutePath().toString()) : before;
    }

    /// Prints the notes of a checkpoint to the error stream.
    static void tell(String command, Checkpoint checkpoint, Screen screen) {
        for (CheckpointNote note : checkpoint.notes()) {
            screen.err().println("fst " + command + ": note: " + SafeText.printable(note.toString()));
        }
    }
}
