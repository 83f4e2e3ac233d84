package io.fastsafetensors.core.header;

import io.fastsafetensors.api.CheckpointNote;
import io.fastsafetensors.api.OpaqueType;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.core.checkpoint.CheckpointFiles;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.types.Location;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Executor;
import java.util.stream.Collectors;

/// Opens a checkpoint: reads its index and the headers of its files in parallel, and notes where they differ.
///
/// The order of verdicts is the same in every run, though headers are read in parallel: the index before the shards, a
/// missing shard before a broken one, of broken ones the first.
///
/// Files are opened by `sources` and stay open there for the load that may follow; the checkpoint itself holds none.
public final class CheckpointReader {
    private static final int MOST_NAMED = 8;

    private CheckpointReader() {
    }

    /// Reads and validates all headers; no data is read. Files that the index does not name are never opened. Of several
    /// errors the one of the first file wins, whatever the timing. Thread-safe.
    ///
    /// @param sources opens the files; held by the caller
    /// @throws FormatException if a file or the index breaks the format, if they do not say which of two tensors counts, or
    ///         for the first note if the options are strict
    /// @throws StorageException if one cannot be read
    /// @throws io.fastsafetensors.error.LoadInterruptedException if the calling thread is interrupted
    public static ParsedCheckpoint open(CheckpointFiles files, SourceFiles sources, OpenOptions options) {
        return open(files, sources, options, ParsedTexts.none(),
                work -> Thread.ofPlatform().daemon().name("fst-header").start(work));
    }

    /// As [#open(CheckpointFiles, SourceFiles, OpenOptions)].
    ///
    /// @param parsed what is known of the files already, and takes what is found
    /// @param helpers runs work in the background, at once
    public static ParsedCheckpoint open(CheckpointFiles files, SourceFiles sources, OpenOptions options,
            ParsedTexts parsed, Executor helpers) {
        try (HeaderReads headers = new HeaderReads(sources, options, parsed, helpers)) {
            ParsedCheckpoint checkpoint = noted(files.index().isEmpty() ? ofFiles(files, headers, sources)
                    : ofIndex(files, files.index().get(), headers, sources, options, parsed));
            if (options.strict() && !checkpoint.notes().isEmpty()) {
                throw refusal(checkpoint.notes());
            }
            return checkpoint;
        }
    }

    /// Notes tensors of dtypes that are not known. One note for all, however many there are.
    ///
    /// Only with the lenient option are there any; without it such a dtype is an error.
    private static ParsedCheckpoint noted(ParsedCheckpoint checkpoint) {
        Map<String, OpaqueType> opaque = checkpoint.opaque();
        if (opaque.isEmpty()) {
            return checkpoint;
        }
        Map<String, Long> dtypes = opaque.values().stream()
                .collect(Collectors.groupingBy(OpaqueType::dtype, TreeMap::new, Collectors.counting()));
        return checkpoint.withNote(CheckpointNote.of(FormatError.UNKNOWN_DTYPE, opaque.size()
                + (opaque.size() == 1 ? " tensor is" : " tensors are")
                + " opaque bytes (U8), because the dtype is not known: " + dtypes.entrySet().stream().limit(MOST_NAMED)
                        .map(dtype -> Printable.escape(dtype.getKey()) + " of " + dtype.getValue())
                        .collect(Collectors.joining(", ")),
                checkpoint.location()));
    }

    /// A checkpoint of single files or numbered shards; parts of tensors are joined.
    private static ParsedCheckpoint ofFiles(CheckpointFiles files, HeaderReads headers, SourceFiles sources) {
        List<CheckpointNote> notes = new ArrayList<>();
        noteOthers(files.others(), files, notes);
        List<FileHeader> all = headers.await(files.files());
        // The file of one rank, opened by itself, is what it is.
        List<FileHeader> whole = files.files().size() == 1
                && files.location().name().equals(files.files().getFirst().name()) ? all
                        : JoinedTensors.join(all, files.location(), sources);
        return new ParsedCheckpoint(files.location(), whole, sources, Optional.empty(), notes, Map.of());
    }

    /// A checkpoint by its index: header reads begin while it is parsed, and files that it does not name are not
    /// opened.
    ///
    /// The index decides which files count, so a shard that lies next to them and is not named there is noted and
    /// never opened.
    private static ParsedCheckpoint ofIndex(CheckpointFiles files, Location location, HeaderReads headers,
            SourceFiles sources, OpenOptions options, ParsedTexts parsed) {
        Location directory = files.directory().orElseThrow();
        ShardIndex index = sources.file(location)
                .reading(file -> parsed.index(file, shard -> headers.begin(directory.resolve(shard))));
        List<FileHeader> shards = await(headers, shards(index, directory), sources.storage(directory));
        IndexCheck.Result checked = IndexCheck.check(index, shards, options.onlyIndexed());
        List<CheckpointNote> notes = new ArrayList<>(checked.notes());
        noteOthers(files.others().stream().filter(file -> !index.shards().contains(file.name())).toList(), files,
                notes);
        return new ParsedCheckpoint(files.location(), checked.headers(), sources, Optional.of(location), notes,
                checked.absent());
    }

    /// Notes the files of the directory that were not chosen: people often meant one of those.
    private static void noteOthers(List<Location> others, CheckpointFiles files, List<CheckpointNote> notes) {
        if (!others.isEmpty()) {
            String chosen = files.index().isPresent() ? files.index().get().name()
                    : files.files().getFirst().name()
                            + (files.files().size() > 1 ? " and those that belong to it" : "");
            notes.add(CheckpointNote.of(FormatError.FILES_LEFT_ASIDE, others.size()
                    + (others.size() == 1 ? " file is" : " files are") + " left aside, because "
                    + Printable.escape(chosen) + " was chosen: "
                    + others.stream().limit(MOST_NAMED).map(file -> Printable.escape(file.name()))
                            .collect(Collectors.joining(", "))
                    + (others.size() > MOST_NAMED ? " and " + (others.size() - MOST_NAMED) + " more" : ""),
                    files.location()));
        }
    }

    /// The first note as the error of its name.
    ///
    /// Notes are in an order that depends on the files alone, so strict mode fails with the same error in every run.
    private static FormatException refusal(List<CheckpointNote> notes) {
        CheckpointNote first = notes.getFirst();
        String more = notes.size() == 1 ? "" : "; and " + (notes.size() - 1) + " more that strict mode refuses";
        return new FormatException(first.error(), first.text() + more, first.location().where());
    }

    /// @throws FormatException NoCheckpoint if the index names none
    private static List<Location> shards(ShardIndex index, Location directory) {
        List<Location> shards = new ArrayList<>();
        for (String name : index.shards()) {
            shards.add(directory.resolve(name));
        }
        if (shards.isEmpty()) {
            throw new FormatException(FormatError.NO_CHECKPOINT, "weight_map names no shard", index.location().where());
        }
        return shards;
    }

    /// A shard that is not there comes before what is wrong with others. One that is there and cannot be read is not
    /// missing.
    private static List<FileHeader> await(HeaderReads headers, List<Location> shards, Storage storage) {
        try {
            return headers.await(shards);
        } catch (StorageException | FormatException e) {
            for (Location shard : shards) {
                if (storage.kind(shard) == Storage.Kind.ABSENT) {
                    throw new FormatException(FormatError.MISSING_SHARD,
                            "the index names this file, which is not there; download it again", shard.where(), e);
                }
            }
            throw e;
        }
    }
}
