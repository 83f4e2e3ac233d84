package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.plan.PlanSettings;
import io.fastsafetensors.core.digest.Sha256;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.TensorInfo;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.LinkedHashMap;
import java.util.Map;

/// Checks a checkpoint's digests while it is rewritten, piece by piece in the order of each tensor's bytes. One thread.
final class SourceDigests {
    private record Expected(TensorInfo info, String digest, MessageDigest sum) {
    }

    private final Map<String, Expected> expected = new LinkedHashMap<>();

    /// @param options whether to check, and what is rewritten
    /// @throws UnsupportedFeatureException if a tensor with a digest is to be converted: its bytes are gone then
    SourceDigests(ParsedCheckpoint source, LoadOptions options, PlanSettings settings) {
        if (!DigestCheck.isWanted(options)) {
            return;
        }
        for (FileHeader header : source.headers()) {
            for (TensorInfo tensor : header.tensors()) {
                String digest = DigestCheck.expected(header, tensor, options);
                if (digest != null && options.selection().test(tensor)) {
                    if (settings.target(tensor) != tensor.dtype()) {
                        throw new UnsupportedFeatureException("cannot check digests while rewriting in another dtype;"
                                + " check the checkpoint before", tensor.file().where().withTensor(tensor.name()));
                    }
                    expected.put(tensor.name(), new Expected(tensor, digest, Sha256.create()));
                }
            }
        }
    }

    /// The next bytes of a tensor.
    void update(TensorInfo tensor, ByteBuffer bytes) {
        Expected wanted = expected.get(tensor.name());
        if (wanted != null) {
            wanted.sum.update(bytes.duplicate());
        }
    }

    /// Throws unless every tensor had its digest.
    ///
    /// @throws io.fastsafetensors.error.FormatException DigestMismatch
    void require() {
        expected.values().forEach(each -> DigestCheck.require(each.info, each.digest, Sha256.hex(each.sum)));
    }
}
