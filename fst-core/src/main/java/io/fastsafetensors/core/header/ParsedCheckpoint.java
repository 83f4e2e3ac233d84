package io.fastsafetensors.core.header;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.CheckpointNote;
import io.fastsafetensors.api.OpaqueType;
import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.util.AbstractSet;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The headers of a checkpoint's files, put together. Immutable, but for what is counted, and thread-safe.
///
/// Tensors have numbers, in the order of [#tensors()]: by file, and in a file by offset. What a load keeps for each tensor
/// is in arrays by these numbers, so the views that [#withHeaders] makes have numbers of their own.
///
/// Views share the counts of overflows and the digests of the checkpoint that they are of: what one load found is
/// told by all.
public final class ParsedCheckpoint implements Checkpoint {
    private final Location location;
    /// Not closed here.
    private final SourceFiles sources;
    private final List<FileHeader> headers;
    private final List<TensorInfo> tensors;
    private final NameTable names;
    /// The number of the first tensor of each file, in the order of [#headers].
    private final int[] firstOfFile;
    private final Map<String, String> metadata;
    private final long byteSize;
    private final Optional<Location> index;
    private final List<CheckpointNote> notes;
    /// For the error of who asks for such a name.
    private final Map<String, String> absent;
    private final Overflows overflows;
    private final FileDigests digests;

    /// Without an index and without notes.
    ///
    /// @param location what it was opened by
    /// @param headers one per file
    /// @param sources what the headers were read from
    /// @throws FormatException DuplicateTensorName if two files hold a tensor of one name
    public ParsedCheckpoint(Location location, List<FileHeader> headers, SourceFiles sources) {
        this(location, headers, sources, Optional.empty(), List.of(), Map.of());
    }

    /// @param index the index, if there is one
    /// @param notes what was found out of order
    /// @param absent names that the index maps to a shard although no shard has them
    ParsedCheckpoint(Location location, List<FileHeader> headers, SourceFiles sources, Optional<Location> index,
            List<CheckpointNote> notes, Map<String, String> absent) {
        this(location, headers, sources, index, notes, absent, new Overflows(), FileDigests.NONE);
    }

    private ParsedCheckpoint(Location location, List<FileHeader> headers, SourceFiles sources, Optional<Location> index,
            List<CheckpointNote> notes, Map<String, String> absent, Overflows overflows,
            FileDigests digests) {
        this.digests = digests;
        this.overflows = overflows;
        this.index = index;
        this.notes = List.copyOf(notes);
        this.absent = absent;
        this.location = location;
        this.sources = sources;
        this.headers = List.copyOf(headers);
        this.tensors = concatenate(headers);
        List<TensorInfo> all = tensors;
        this.names = new NameTable(all);
        this.firstOfFile = new int[headers.size()];
        Map<String, String> merged = new LinkedHashMap<>();
        long bytes = 0;
        for (int f = 1; f < firstOfFile.length; f++) {
            firstOfFile[f] = firstOfFile[f - 1] + headers.get(f - 1).tensors().size();
        }
        for (int t = 0; t < all.size(); t++) {
            TensorInfo tensor = all.get(t);
            int first = names.add(t);
            if (first != t) {
                TensorInfo other = all.get(first);
                throw new FormatException(FormatError.DUPLICATE_TENSOR_NAME,
                        "it is also in " + Printable.escape(other.file().toString())
                                + "; load one of the files by itself, or write an index that says which counts",
                        tensor.file().where().withTensor(tensor.name()));
            }
            bytes += tensor.byteSize();
        }
        for (FileHeader header : headers) {
            merged.putAll(header.metadata());
        }
        this.metadata = Collections.unmodifiableMap(merged);
        this.byteSize = bytes;
    }

    /// The list of the only file is used as it is: it may have a hundred thousand elements.
    private static List<TensorInfo> concatenate(List<FileHeader> headers) {
        if (headers.size() == 1) {
            return headers.getFirst().tensors();
        }
        ArrayList<TensorInfo> all = new ArrayList<>();
        for (FileHeader header : headers) {
            all.addAll(header.tensors());
        }
        all.trimToSize();
        return Collections.unmodifiableList(all);
    }

    /// The same checkpoint with other tensors: a view of it.
    ///
    /// Names are indexed again, in a pass over the tensors.
    public ParsedCheckpoint withHeaders(List<FileHeader> others) {
        return new ParsedCheckpoint(location, others, sources, index, notes, absent, overflows, digests);
    }

    /// The same checkpoint, whose files are compared with digests.
    public ParsedCheckpoint withDigests(FileDigests expected) {
        return new ParsedCheckpoint(location, headers, sources, index, notes, absent, overflows, expected);
    }

    /// What its files are compared with.
    public FileDigests digests() {
        return digests;
    }

    /// Waits until every file that a tensor is made of was compared with its digest, if it has one.
    ///
    /// For a derived file its parts are compared, recursively. `mayWait` is called before each wait that would block,
    /// on the caller's thread.
    ///
    /// @param mayWait throws if it has to be waited for and must not be
    /// @throws FormatException DigestMismatch
    public void requireDigest(Location file, Runnable mayWait) {
        if (digests.equals(FileDigests.NONE)) {
            return;
        }
        List<Location> parts = sources.parts(file);
        if (parts.isEmpty()) {
            if (!digests.isDone(file)) {
                mayWait.run();
            }
            digests.require(file);
        } else {
            parts.forEach(part -> requireDigest(part, mayWait));
        }
    }

    /// The same checkpoint with one note more.
    ParsedCheckpoint withNote(CheckpointNote note) {
        List<CheckpointNote> more = new ArrayList<>(notes);
        more.add(note);
        return new ParsedCheckpoint(location, headers, sources, index, more, absent, overflows, digests);
    }

    @Override
    public Map<String, OpaqueType> opaque() {
        Map<String, OpaqueType> all = new HashMap<>();
        for (FileHeader header : headers) {
            all.putAll(header.opaque());
        }
        return Collections.unmodifiableMap(all);
    }

    /// What loads of it count.
    public Overflows overflows() {
        return overflows;
    }

    /// The header of each file, in the order of [#files()].
    public List<FileHeader> headers() {
        return headers;
    }

    /// The files that the headers were read from, for later reads. Held by the opener of the checkpoint, for as long
    /// as a load of it needs them; a checkpoint that a user keeps does not keep them open.
    public SourceFiles sources() {
        return sources;
    }

    @Override
    public Location location() {
        return location;
    }

    @Override
    public List<Location> files() {
        List<Location> files = new ArrayList<>(headers.size());
        for (FileHeader header : headers) {
            if (!sources.isDerived(header.location())) {
                files.add(header.location());
            }
        }
        return Collections.unmodifiableList(files);
    }

    @Override
    public List<TensorInfo> tensors() {
        return tensors;
    }

    @Override
    public Set<String> names() {
        return new Names();
    }

    @Override
    public TensorInfo info(String name) {
        Objects.requireNonNull(name, "name");
        TensorInfo tensor = find(name);
        if (tensor == null) {
            String shard = absent.get(name);
            throw new TensorNotFoundException(name, shard != null
                    ? "the index maps it to " + Printable.escape(shard) + ", and none of the shards has it"
                    : "not among the " + tensors.size() + " of " + Printable.escape(location.toString())
                            + SimilarNames.hint(name, names()));
        }
        return tensor;
    }

    /// The tensor of that name, null if there is none.
    @Nullable
    TensorInfo find(String name) {
        int number = names.find(name);
        return number < 0 ? null : tensors.get(number);
    }

    /// The number of a tensor among all, in the order of [#tensors()]; negative if there is none of that name. In
    /// constant time, without allocating.
    public int number(String name) {
        return names.find(name);
    }

    /// The number of a file's first tensor among all.
    public int firstOfFile(int file) {
        return firstOfFile[file];
    }

    /// The index of the file that a tensor is in.
    ///
    /// @return an index into [#headers()]
    public int fileOf(int number) {
        int found = Arrays.binarySearch(firstOfFile, number);
        int file = found >= 0 ? found : -found - 2;
        // Files without a tensor have the number of the next one's first.
        while (file + 1 < firstOfFile.length && firstOfFile[file + 1] == number) {
            file++;
        }
        return file;
    }

    @Override
    public List<CheckpointNote> notes() {
        return notes;
    }

    /// What the index says besides its tensors, read again: few ask for it. While [#sources()] are held.
    ///
    /// @throws io.fastsafetensors.error.StorageException if it cannot be read, or is another version than before
    public IndexKeys indexKeys() {
        return index.isEmpty() ? IndexKeys.NONE
                : sources.file(index.get()).reading(file -> IndexKeys.read(new FileBytes(file)));
    }

    @Override
    public Optional<Location> index() {
        return index;
    }

    @Override
    public Map<String, String> metadata() {
        return metadata;
    }

    @Override
    public Map<String, String> metadata(Location file) {
        Objects.requireNonNull(file, "file");
        return headers.stream().filter(header -> header.location().equals(file)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException(file + " is not a file of " + location)).metadata();
    }

    @Override
    public long byteSize() {
        return byteSize;
    }

    @Override
    public String toString() {
        return "Checkpoint[" + Printable.escape(location.toString()) + ", " + tensors.size() + " tensors]";
    }

    /// A view, in the order of the tensors.
    private final class Names extends AbstractSet<String> {
        @Override
        public Iterator<String> iterator() {
            Iterator<TensorInfo> all = tensors.iterator();
            return new Iterator<>() {
                @Override
                public boolean hasNext() {
                    return all.hasNext();
                }

                @Override
                public String next() {
                    return all.next().name();
                }
            };
        }

        @Override
        public boolean contains(Object name) {
            return name instanceof String text && names.find(text) >= 0;
        }

        @Override
        public int size() {
            return tensors.size();
        }
    }

    /// Finds the numbers of tensors by their names: one array of numbers, because a node for each of a hundred thousand
    /// names takes more memory than what it leads to. Open addressing with linear probing; read by any thread once it is
    /// filled.
    ///
    /// The multiplier is 2^32 divided by the golden ratio (Knuth, The Art of Computer Programming, volume 3, 6.4),
    /// which spreads hashes that lie close to each other.
    private static final class NameTable {
        private final List<TensorInfo> tensors;
        private final int[] slots;

        /// With no number yet.
        ///
        /// @param tensors all that will be added; a tensor's number is its index
        private NameTable(List<TensorInfo> tensors) {
            this.tensors = tensors;
            // Half full at most. A slot holds a number and one more; 0 is free.
            this.slots = new int[Integer.highestOneBit(Math.max(1, tensors.size())) << 2];
        }

        /// Adds the next number.
        ///
        /// @return the number that has this name, which is an earlier one if the name is taken
        int add(int number) {
            int slot = slotOf(tensors.get(number).name());
            if (slots[slot] == 0) {
                slots[slot] = number + 1;
            }
            return slots[slot] - 1;
        }

        /// The number of a name, −1 if there is none.
        int find(String name) {
            return slots[slotOf(name)] - 1;
        }

        /// The slot that holds a name, or the free one where it belongs.
        private int slotOf(String name) {
            // Multiplied, since the hashes of names that differ by a layer's number lie close to each other.
            int hash = name.hashCode() * 0x9E3779B9;
            int slot = (hash ^ hash >>> 16) & slots.length - 1;
            while (slots[slot] != 0 && !tensors.get(slots[slot] - 1).name().equals(name)) {
                slot = slot + 1 & slots.length - 1;
            }
            return slot;
        }
    }
}
