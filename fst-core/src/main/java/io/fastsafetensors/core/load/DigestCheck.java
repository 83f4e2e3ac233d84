package io.fastsafetensors.core.load;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.core.digest.Sha256;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.plan.PlanSettings;
import io.fastsafetensors.core.plan.PlannedFile;
import io.fastsafetensors.core.plan.PlannedTensors.PlannedTensor;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.tensor.CoreTensor;
import io.fastsafetensors.core.transfer.BlockListener;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.types.TensorInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Compares the tensors of a load with their SHA-256, as the options give it or as their files' metadata has it; see
/// [io.fastsafetensors.api.LoaderBuilder#checkDigests(boolean)]. Each is digested once. Thread-safe.
///
/// A tensor whose bytes are in memory as they are in the file is digested where it lies, when it is asked for, on the
/// thread that asks. The bytes of one that is converted exist only while they are read: they are digested then
/// ([Reading]), or while a checkpoint is rewritten, piece by piece ([Rewriting]).
///
/// A digest is of the tensor's bytes as they are in the file, so it cannot be taken of what a conversion has made of
/// them.
public final class DigestCheck {
    /// Checks nothing.
    static final DigestCheck NONE = new DigestCheck();

    /// What is copied back from a device at a time, and how much of a segment one buffer shows, in bytes.
    private static final long STEP = 8L << 20;

    /// Tensors that have a digest, by name. Filled before the check is handed out.
    private final Map<String, Expected> expected = new LinkedHashMap<>();
    /// Sees blocks where some tensor with a digest is converted.
    private BlockListener tap = BlockListener.NONE;

    private DigestCheck() {
    }

    /// A tensor and the digest that it shall have.
    ///
    /// A tensor that was wrong is wrong whenever it is asked for: the digest is kept, not the verdict.
    private static final class Expected {
        private final TensorInfo info;
        private final String digest;
        /// Null until its bytes were digested. Guarded by this object, which also keeps two threads from digesting the same
        /// tensor.
        private @Nullable String found;

        private Expected(TensorInfo info, String digest) {
            this.info = info;
            this.digest = digest;
        }

        synchronized void found(String hex) {
            found = hex;
        }

        synchronized void require(@Nullable CoreTensor tensor) {
            if (found == null) {
                if (tensor == null) {
                    throw new AssertionError("\"" + info.name() + "\" came without being read");
                }
                found = digest(tensor);
            }
            DigestCheck.require(info, digest, found);
        }
    }

    /// The check of a load.
    ///
    /// @param headers those of the plan's files
    /// @throws UnsupportedFeatureException if a tensor would have to be digested that the host never sees
    static DigestCheck of(List<FileHeader> headers, ReadPlan plan, LoadOptions options) {
        if (!isWanted(options)) {
            return NONE;
        }
        DigestCheck check = new DigestCheck();
        for (int i = 0; i < plan.planned().size(); i++) {
            check.add(headers.get(i), plan.planned().get(i), options);
        }
        if (check.expected.isEmpty()) {
            return NONE;
        }
        if (plan.planned().stream().flatMap(file -> file.tensors().stream()).anyMatch(check::isTapped)) {
            check.tap = check.new Reading(plan);
        }
        return check;
    }

    /// Refuses at once what could not be digested later.
    private void add(FileHeader header, PlannedFile file, LoadOptions options) {
        for (PlannedTensor tensor : file.tensors()) {
            String digest = expected(header, tensor.info(), options);
            if (digest != null) {
                expected.put(tensor.info().name(), new Expected(tensor.info(), digest));
                if (isTapped(tensor) && file.path() == PlannedFile.PlannedPath.DIRECT) {
                    throw new UnsupportedFeatureException("cannot check the digest of a tensor that is converted on its"
                            + " way and read past the host; use the transfer path staged, or convert after loading",
                            file.location().where().withTensor(tensor.info().name()));
                }
            }
        }
    }

    /// Whether a tensor has to be digested as it is read, because its own bytes are nowhere afterwards.
    private boolean isTapped(PlannedTensor tensor) {
        return tensor.isConverted() && tensor.info().byteSize() > 0 && expected.containsKey(tensor.info().name());
    }

    /// Whether tensors are compared at all.
    static boolean isWanted(LoadOptions options) {
        return options.checkDigests() || !options.digests().tensors().isEmpty();
    }

    /// The digest that is given for a tensor, or that its file's metadata has; null if there is none.
    static @Nullable String expected(FileHeader header, TensorInfo tensor, LoadOptions options) {
        String given = options.digests().tensors().get(tensor.name());
        if (given != null || !options.checkDigests()) {
            return given;
        }
        return header.metadata().get(WriteOptions.DIGEST_KEY + tensor.name());
    }

    /// Throws unless a digest is the right one.
    ///
    /// @throws FormatException DigestMismatch
    static void require(TensorInfo tensor, String expected, String found) {
        if (!found.equals(expected)) {
            throw new FormatException(FormatError.DIGEST_MISMATCH,
                    "the SHA-256 " + expected + " is expected, the tensor's bytes have " + found
                            + ": the file is damaged, or was changed without its digests",
                    tensor.file().where().withTensor(tensor.name()).withOffset(tensor.fileOffset()));
        }
    }

    /// What has to see the bytes as they are read, in a load by one reader; [BlockListener#NONE] if nothing has to.
    BlockListener tap() {
        return tap;
    }

    /// Throws unless a tensor that is in place has the digest of the metadata, if there is one.
    ///
    /// @throws FormatException DigestMismatch
    void require(String name, CoreTensor tensor) {
        Expected wanted = expected.get(name);
        if (wanted != null) {
            wanted.require(tensor);
        }
    }

    /// The tensors that have a digest.
    Set<String> names() {
        return expected.keySet();
    }

    /// The SHA-256 of a tensor where it lies, in lower-case hexadecimal. Waits for what it copies.
    ///
    /// On a mapping the pages are looked for first, since reading them would fault if the file was cut.
    private static String digest(CoreTensor tensor) {
        MessageDigest digest = Sha256.create();
        if (tensor.isHostAddressable()) {
            tensor.requireReadable();
            MemorySegment bytes = tensor.segment();
            for (long at = 0; at < bytes.byteSize(); at += STEP) {
                digest.update(bytes.asSlice(at, Math.min(STEP, bytes.byteSize() - at)).asByteBuffer());
            }
        } else if (tensor.byteSize() > 0) {
            copyBack(tensor, digest);
        }
        return Sha256.hex(digest);
    }

    /// A step at a time through one window, so that a tensor of gigabytes needs no second copy of itself on the host.
    private static void copyBack(CoreTensor tensor, MessageDigest digest) {
        SharedBuffer held = tensor.hold();
        // Shared, since a backend may copy on a thread of its own.
        try (Arena arena = Arena.ofShared(); CopyStream stream = held.backend().get().openCopyStream()) {
            MemorySegment window = arena.allocate(Math.min(STEP, tensor.byteSize()));
            for (long at = 0; at < tensor.byteSize(); at += STEP) {
                MemorySegment part = window.asSlice(0, Math.min(STEP, tensor.byteSize() - at));
                stream.copyToHost(held.buffer(), tensor.offset() + at, part);
                stream.synchronize();
                digest.update(part.asByteBuffer());
            }
        } finally {
            held.release();
        }
    }

    /// Digests tensors out of the blocks of one reader, file by file in the order of the bytes. More readers would bring a
    /// file's blocks in any order, and a digest takes bytes in order alone.
    ///
    /// For one thread: a load that has it has one reader.
    private final class Reading implements BlockListener {
        private final ReadPlan plan;
        private final List<List<PlannedTensor>> wanted;
        // One of each for a file: the first block of every file comes before all others.
        private final int[] next;
        private final MessageDigest[] digests;

        Reading(ReadPlan plan) {
            this.plan = plan;
            this.wanted = plan.planned().stream()
                    .map(file -> file.tensors().stream().filter(DigestCheck.this::isTapped).toList()).toList();
            this.next = new int[wanted.size()];
            this.digests = new MessageDigest[wanted.size()];
            Arrays.setAll(digests, _ -> Sha256.create());
        }

        @Override
        public void read(int block, MemorySegment memory, long base) {
            int file = plan.blocks().file(block);
            long start = plan.blocks().start(block);
            long end = plan.blocks().end(block);
            List<PlannedTensor> tensors = wanted.get(file);
            while (next[file] < tensors.size()) {
                PlannedTensor tensor = tensors.get(next[file]);
                long from = Math.max(start, tensor.info().fileOffset());
                long to = Math.min(end, tensor.info().fileEnd());
                if (from >= to) {
                    return;
                }
                MessageDigest digest = digests[file];
                digest.update(memory.asSlice(from - base, to - from).asByteBuffer());
                if (to < tensor.info().fileEnd()) {
                    return;
                }
                Objects.requireNonNull(expected.get(tensor.info().name())).found(Sha256.hex(digest));
                next[file]++;
            }
        }
    }

    /// The check of a checkpoint that is rewritten, piece by piece in the order of each tensor's bytes. One thread.
    ///
    /// Nothing is published before [#require()] was called.
    public static final class Rewriting {
        private record Piecewise(TensorInfo info, String digest, MessageDigest sum) {
        }

        private final Map<String, Piecewise> digests = new LinkedHashMap<>();

        /// @param options whether to check, and what is rewritten
        /// @throws UnsupportedFeatureException if a tensor with a digest is to be converted: its bytes are gone then
        public Rewriting(ParsedCheckpoint source, LoadOptions options, PlanSettings settings) {
            if (!isWanted(options)) {
                return;
            }
            for (FileHeader header : source.headers()) {
                for (TensorInfo tensor : header.tensors()) {
                    String digest = expected(header, tensor, options);
                    if (digest != null && options.selection().test(tensor)) {
                        if (settings.target(tensor) != tensor.dtype()) {
                            throw new UnsupportedFeatureException(
                                    "cannot check digests while rewriting in another dtype; check the checkpoint before",
                                    tensor.file().where().withTensor(tensor.name()));
                        }
                        digests.put(tensor.name(), new Piecewise(tensor, digest, Sha256.create()));
                    }
                }
            }
        }

        /// The next bytes of a tensor.
        public void update(TensorInfo tensor, ByteBuffer bytes) {
            Piecewise wanted = digests.get(tensor.name());
            if (wanted != null) {
                wanted.sum.update(bytes.duplicate());
            }
        }

        /// Throws unless every tensor had its digest.
        ///
        /// @throws io.fastsafetensors.error.FormatException DigestMismatch
        public void require() {
            for (Piecewise each : digests.values()) {
                DigestCheck.require(each.info, each.digest, Sha256.hex(each.sum));
            }
        }
    }
}
