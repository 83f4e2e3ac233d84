package io.fastsafetensors.core.write;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/// The digest of a tensor's bytes. Files keep it under [io.fastsafetensors.api.WriteOptions#DIGEST_KEY].
public final class Sha256 {
    private Sha256() {
    }

    /// A new one.
    public static MessageDigest create() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }

    /// What it came to, in lower-case hexadecimal; it begins again.
    public static String hex(MessageDigest digest) {
        return HexFormat.of().formatHex(digest.digest());
    }
}
