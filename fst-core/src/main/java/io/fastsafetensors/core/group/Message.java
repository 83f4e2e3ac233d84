package io.fastsafetensors.core.group;

import io.fastsafetensors.core.digest.Sha256;
import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// One rank's message to the others before a step.
///
/// @param position how many steps it has taken together with the others, this one included
/// @param what the step
/// @param failure why it cannot take it, null if it can
/// @param facts what must be the same on every rank
/// @param own what may differ
record Message(long position, String what, @Nullable String failure, Map<String, String> facts,
        Map<String, String> own) {
    /// Half of what a message may have: facts that are longer are told as a digest.
    private static final int LONGEST_FACTS = 512 << 10;
    private static final int LONGEST_FAILURE = 4 << 10;

    static Message ready(long position, String what, Map<String, String> facts, Map<String, String> own) {
        return new Message(position, what, null, facts, own);
    }

    static Message failed(long position, String what, Throwable why) {
        String text = why.getClass().getSimpleName() + ": " + why.getMessage();
        return new Message(position, what, text.substring(0, Math.min(LONGEST_FAILURE, text.length())), Map.of(),
                Map.of());
    }

    /// The step, such that different ones differ.
    String step() {
        return "calls " + what + " as step " + position;
    }

    byte[] encode() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeLong(position);
            write(out, what);
            out.writeBoolean(failure != null);
            write(out, failure == null ? "" : failure);
            ByteArrayOutputStream all = new ByteArrayOutputStream();
            write(new DataOutputStream(all), facts);
            if (all.size() <= LONGEST_FACTS) {
                all.writeTo(out);
            } else {
                write(out, Map.of("digest of " + facts.size() + " facts", Sha256.hex(all.toByteArray())));
            }
            write(out, own);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    static Message decode(byte[] bytes) {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
            long position = in.readLong();
            String what = read(in);
            boolean failed = in.readBoolean();
            String failure = read(in);
            return new Message(position, what, failed ? failure : null, readMap(in), readMap(in));
        } catch (IOException e) {
            throw new GroupException("a rank sent what no rank of this version sends", Where.nowhere(), e);
        }
    }

    private static void write(DataOutputStream out, String text) throws IOException {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        out.writeInt(utf8.length);
        out.write(utf8);
    }

    private static void write(DataOutputStream out, Map<String, String> map) throws IOException {
        out.writeInt(map.size());
        for (Map.Entry<String, String> entry : map.entrySet()) {
            write(out, entry.getKey());
            write(out, entry.getValue());
        }
    }

    private static String read(DataInputStream in) throws IOException {
        int length = in.readInt();
        if (length < 0 || length > in.available()) {
            throw new IOException("a text of " + length + " bytes");
        }
        return new String(in.readNBytes(length), StandardCharsets.UTF_8);
    }

    private static Map<String, String> readMap(DataInputStream in) throws IOException {
        Map<String, String> map = new LinkedHashMap<>();
        for (int left = in.readInt(); left > 0; left--) {
            map.put(read(in), read(in));
        }
        return map;
    }
}
