package io.fastsafetensors.core.header;

import io.fastsafetensors.api.CheckpointNote;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Compares an index with the shards that it names. The index says which files count and, of several tensors of one name,
/// which one does; the files say which tensors there are. Where they differ is a note.
///
/// Two totals are kept because writers disagree on what `total_size` means: the bytes of what the index names, and
/// those of everything that is loaded. One of them is enough.
///
/// For one check, on one thread. A checkpoint whose index is right costs one pass over its tensors.
///
/// Four findings: a name of the index that no shard has, a tensor in another shard than the index says, one that the
/// index does not name, and a second copy of one that it does. Only two tensors between which the index does not
/// decide are an error.
final class IndexCheck {
    private static final int MOST_NAMED = 3;

    private final ShardIndex index;
    private final List<FileHeader> headers;
    private final boolean onlyIndexed;
    private final List<CheckpointNote> notes = new ArrayList<>();
    private final List<String> misplaced = new ArrayList<>();
    private final List<TensorInfo> unnamed = new ArrayList<>();
    private final List<TensorInfo> twice = new ArrayList<>();
    private final Map<String, String> absent = new LinkedHashMap<>();
    private final Set<TensorInfo> dropped = new HashSet<>();
    private long namedBytes;
    private long loadedBytes;

    /// The tensors to load, and the findings.
    ///
    /// @param headers those of the shards, with the tensors that count
    /// @param notes the findings
    /// @param absent the names that the index maps to a shard although no shard has them
    record Result(List<FileHeader> headers, List<CheckpointNote> notes, Map<String, String> absent) {
    }

    private IndexCheck(ShardIndex index, List<FileHeader> headers, boolean onlyIndexed) {
        this.index = index;
        this.headers = headers;
        this.onlyIndexed = onlyIndexed;
    }

    /// Compares them.
    ///
    /// @param headers one for each shard that the index names
    /// @param onlyIndexed whether tensors that the index leaves out are dropped
    /// @throws FormatException DuplicateTensorName if two shards have a tensor and the index does not say which counts
    static Result check(ShardIndex index, List<FileHeader> headers, boolean onlyIndexed) {
        return new IndexCheck(index, headers, onlyIndexed).check();
    }

    /// Sorts every tensor by what the index says of it, and looks further only where something differs.
    private Result check() {
        List<TensorInfo> elsewhere = new ArrayList<>();
        long settled = 0;
        for (FileHeader header : headers) {
            String shard = header.location().name();
            for (TensorInfo tensor : header.tensors()) {
                String mapped = index.weightMap().get(tensor.name());
                if (mapped == null) {
                    unnamed.add(tensor);
                } else if (mapped.equals(shard)) {
                    settled++;
                    namedBytes += tensor.byteSize();
                } else {
                    elsewhere.add(tensor);
                }
            }
        }
        if (settled < index.weightMap().size() || !elsewhere.isEmpty()) {
            settleElsewhere(elsewhere);
        }
        settleUnnamed();
        loadedBytes += namedBytes;
        addNotes();
        return new Result(dropped.isEmpty() ? headers : headers.stream().map(this::withoutDropped).toList(), notes,
                absent);
    }

    /// Tensors in another shard than the index says: a second copy, or the only one.
    ///
    /// Second pass over the tensors, made only where the first one found a difference.
    private void settleElsewhere(List<TensorInfo> elsewhere) {
        Set<String> found = new HashSet<>();
        for (FileHeader header : headers) {
            String shard = header.location().name();
            for (TensorInfo tensor : header.tensors()) {
                if (shard.equals(index.weightMap().get(tensor.name()))) {
                    found.add(tensor.name());
                }
            }
        }
        Map<String, TensorInfo> only = new HashMap<>();
        for (TensorInfo tensor : elsewhere) {
            if (found.contains(tensor.name())) {
                twice.add(tensor);
                dropped.add(tensor);
                continue;
            }
            requireOne(only.put(tensor.name(), tensor), tensor);
            misplaced.add(tensor.name());
            namedBytes += tensor.byteSize();
        }
        index.weightMap().forEach((name, shard) -> {
            if (!found.contains(name) && !only.containsKey(name)) {
                absent.put(name, shard);
            }
        });
    }

    /// Tensors that no line of the index names: left out or loaded, as the options say.
    private void settleUnnamed() {
        Map<String, TensorInfo> one = new HashMap<>();
        for (TensorInfo tensor : unnamed) {
            if (onlyIndexed) {
                dropped.add(tensor);
            } else {
                requireOne(one.put(tensor.name(), tensor), tensor);
                loadedBytes += tensor.byteSize();
            }
        }
    }

    /// Of two tensors of one name neither is the one that is meant, and a load of either would be a guess.
    private void requireOne(@Nullable TensorInfo other, TensorInfo tensor) {
        if (other != null) {
            throw new FormatException(FormatError.DUPLICATE_TENSOR_NAME, "it is also in "
                    + Printable.escape(other.file().toString()) + ", and the index "
                    + Printable.escape(index.location().toString())
                    + " maps it to neither; correct its weight_map, or load one file by itself",
                    tensor.file().where().withTensor(tensor.name()));
        }
    }

    /// The header has holes between its tensors then, which plans do not mind.
    private FileHeader withoutDropped(FileHeader header) {
        List<TensorInfo> kept = header.tensors().stream().filter(tensor -> !dropped.contains(tensor)).toList();
        return header.withTensors(kept);
    }

    /// In an order that does not depend on the files, since strict mode throws the first note.
    private void addNotes() {
        if (!absent.isEmpty()) {
            note(FormatError.TENSOR_NOT_IN_SHARD, count(absent.size(), "name") + " of the index "
                    + (absent.size() == 1 ? "is" : "are") + " in none of its shards and cannot be asked for: "
                    + some(absent.keySet()));
        }
        if (!misplaced.isEmpty()) {
            note(FormatError.TENSOR_NOT_IN_SHARD, count(misplaced.size(), "tensor")
                    + " loaded from another shard than the index says: " + some(misplaced));
        }
        if (!unnamed.isEmpty()) {
            note(FormatError.TENSOR_NOT_IN_INDEX, count(unnamed.size(), "tensor") + " of the shards "
                    + (unnamed.size() == 1 ? "is" : "are") + " not named by the index and "
                    + (onlyIndexed ? "left out: " : "loaded too (the option onlyIndexed leaves them out): ")
                    + some(unnamed.stream().map(TensorInfo::name).toList()));
        }
        if (!twice.isEmpty()) {
            note(FormatError.DUPLICATE_TENSOR_NAME, count(twice.size(), "tensor")
                    + " in more than one shard; the one that the index names counts: "
                    + some(twice.stream().map(TensorInfo::name).toList()));
        }
        index.totalSize().ifPresent(this::compareSize);
    }

    /// Right if it is either of the two totals.
    private void compareSize(ShardIndex.TotalSize total) {
        if (!total.isWhole()) {
            note(FormatError.TOTAL_SIZE_MISMATCH, "total_size is " + Printable.escape(total.text())
                    + ", which is no whole number; the tensors have " + loadedBytes + " bytes");
        } else if (!total.is(BigDecimal.valueOf(loadedBytes)) && !total.is(BigDecimal.valueOf(namedBytes))) {
            note(FormatError.TOTAL_SIZE_MISMATCH, "total_size is " + Printable.escape(total.text())
                    + ", the tensors have " + loadedBytes + " bytes");
        }
    }

    private void note(FormatError error, String text) {
        notes.add(CheckpointNote.of(error, text, index.location()));
    }

    private static String count(long count, String what) {
        return count + " " + what + (count == 1 ? "" : "s");
    }

    /// The first few names, for people.
    private static String some(Collection<String> names) {
        return names.stream().limit(MOST_NAMED).map(name -> '"' + Printable.escape(name) + '"')
                .collect(Collectors.joining(", "))
                + (names.size() > MOST_NAMED ? " and " + (names.size() - MOST_NAMED) + " more" : "");
    }
}
