package io.fastsafetensors.core.storage.cache;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;

import org.jspecify.annotations.Nullable;

/// The beginning of an entry's list of parts: which version of which file it is about. Immutable.
///
/// The format, little-endian: magic, id, length of the file, length of the texts, the texts separated by line feeds,
/// and a CRC-32C of all before it.
///
/// @param id a random number that the name of the copy and every record have, so that they belong together
/// @param fileLength bytes of the remote file
/// @param key the entry's key, which its file names begin with
/// @param location the remote file, without what may be secret
/// @param version its identity, for people
/// @param bytes how long this head is
record EntryHead(long id, long fileLength, String key, String location, String version, int bytes) {
    private static final long MAGIC = 0x3148_4341_4354_5346L;
    private static final int FIXED_BYTES = 3 * Long.BYTES + 2 * Integer.BYTES;
    /// The longest that is read; addresses are shorter.
    static final int MOST_BYTES = 64 << 10;

    /// The bytes of a head, from position to limit; little-endian, with a checksum at its end.
    static ByteBuffer encode(long id, long fileLength, String key, String location, String version) {
        byte[] text = (key + "\n" + printable(location) + "\n" + printable(version)).getBytes(StandardCharsets.UTF_8);
        ByteBuffer head = ByteBuffer.allocate(FIXED_BYTES + text.length).order(ByteOrder.LITTLE_ENDIAN);
        head.putLong(MAGIC).putLong(id).putLong(fileLength).putInt(text.length).put(text);
        return head.putInt(checksum(head, head.position())).flip();
    }

    /// Lines separate the texts, and lists are looked at by people: no control characters, and nothing endless.
    private static String printable(String text) {
        String plain = text.replaceAll("\\p{Cntrl}", "?");
        return plain.length() <= 8192 ? plain : plain.substring(0, 8192);
    }

    /// Reads a head; null if the bytes are none, or not all of one.
    static @Nullable EntryHead decode(ByteBuffer list) {
        if (list.remaining() < FIXED_BYTES || list.getLong(0) != MAGIC) {
            return null;
        }
        int size = list.getInt(3 * Long.BYTES);
        if (size < 0 || size > list.remaining() - FIXED_BYTES) {
            return null;
        }
        int sumAt = FIXED_BYTES - Integer.BYTES + size;
        if (list.getInt(sumAt) != checksum(list, sumAt)) {
            return null;
        }
        byte[] text = new byte[size];
        list.get(FIXED_BYTES - Integer.BYTES, text);
        String[] lines = new String(text, StandardCharsets.UTF_8).split("\n", -1);
        long length = list.getLong(2 * Long.BYTES);
        return lines.length != 3 || length < 0 ? null
                : new EntryHead(list.getLong(Long.BYTES), length, lines[0], lines[1], lines[2], sumAt + Integer.BYTES);
    }

    /// CRC-32C of what comes before an offset.
    private static int checksum(ByteBuffer bytes, int to) {
        CRC32C crc = new CRC32C();
        crc.update(bytes.duplicate().position(0).limit(to));
        return (int) crc.getValue();
    }

    /// The name of the copy.
    String dataName() {
        return key + "." + Long.toHexString(id) + CacheDirectory.DATA;
    }
}
