package io.fastsafetensors.gpu.kernel;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/// The source text of all kernels: CUDA C++ (nvcc, nvrtc), HIP (hipcc, hiprtc), OpenCL C 1.2 and C11, whichever the
/// compiler's predefined macros say. It includes no header but C's own, and needs no compiler option. The comment at
/// its head says how its functions are called.
///
/// [#digest()] names a version of it: what was compiled ahead, or cached on disk, is current where the digest is equal.
public final class KernelSource {
    private static final String RESOURCE = "fst_kernels.c";

    private KernelSource() {
    }

    /// The text.
    public static String text() {
        return Holder.TEXT;
    }

    /// The SHA-256 of the text's UTF-8 bytes, 64 lower-case hexadecimal digits.
    public static String digest() {
        return Holder.DIGEST;
    }

    /// Read when first asked for: a load without conversion never needs it.
    private static final class Holder {
        static final String TEXT = read();
        static final String DIGEST = sha256(TEXT);
    }

    private static String read() {
        try (InputStream in = KernelSource.class.getResourceAsStream(RESOURCE)) {
            if (in == null) {
                throw new IllegalStateException("fst-gpu-common's jar is incomplete: no " + RESOURCE);
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String sha256(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
