package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.core.transfer.BlockListener;
import io.fastsafetensors.core.plan.PlannedFile;
import io.fastsafetensors.core.plan.PlannedTensor;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.TensorInfo;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Compares the tensors of a load with the digests in their files' metadata; see
/// [io.fastsafetensors.api.LoaderBuilder#checkDigests(boolean)]. Each is digested once. Thread-safe.
final class DigestCheck {
    /// Checks nothing.
    static final DigestCheck NONE = new DigestCheck();

    private final Map<String, Expected> expected = new LinkedHashMap<>();
    private @Nullable ReadDigests tap;

    private DigestCheck() {
    }

    /// A tensor and the digest that it shall have.
    private static final class Expected {
        private final TensorInfo info;
        private final String digest;
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
                found = TensorDigest.of(tensor);
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
            check.tap = new ReadDigests(plan, check::isTapped,
                    (tensor, hex) -> Objects.requireNonNull(check.expected.get(tensor.info().name())).found(hex));
        }
        return check;
    }

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

    /// What has to see the bytes as they are read; [BlockListener#NONE] if nothing has to.
    BlockListener tap() {
        return tap == null ? BlockListener.NONE : tap;
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
}
