package io.fastsafetensors.core.digest;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/// Computes SHA-256 digests. Files keep those of tensors under [io.fastsafetensors.api.WriteOptions#DIGEST_KEY]. A
/// [MessageDigest] is for one thread at a time.
public final class Sha256 {
    private Sha256() {
    }

    /// A new digest of nothing.
    public static MessageDigest create() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }

    /// The result in lower-case hexadecimal; the digest begins again.
    public static String hex(MessageDigest digest) {
        return HexFormat.of().formatHex(digest.digest());
    }

    /// The digest of some bytes, in lower-case hexadecimal.
    public static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(create().digest(bytes));
    }
}
