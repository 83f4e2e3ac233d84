package io.fastsafetensors.core.storage.cache;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

import org.jspecify.annotations.Nullable;

/// A range of a file that was written to its copy, with a checksum for each piece. A piece is what lies between two
/// multiples of 64 KiB, so that a read elsewhere has little to read besides. Immutable.
///
/// A record of the list, little-endian: magic, the entry's id, first byte and end, the number of pieces, their
/// CRC-32Cs, and a CRC-32C of all before it. A reader that finds no magic or a wrong checksum looks for the next
/// record one byte later.
final class CachedPart {
    /// Bytes of a piece that is not cut.
    static final int PIECE = 64 << 10;
    private static final long MAGIC = 0x3150_4341_4354_5346L;
    private static final int FIXED_BYTES = 4 * Long.BYTES + 2 * Integer.BYTES;
    private static final int MOST_PIECES = (1 << 30) / PIECE + 2;

    private final long start;
    private final long end;
    /// The range as it was written, which says where pieces begin; it stays when fewer bytes count.
    private final long writtenStart;
    private final long writtenEnd;
    private final int[] checksums;

    private CachedPart(long start, long end, long writtenStart, long writtenEnd, int[] checksums) {
        this.start = start;
        this.end = end;
        this.writtenStart = writtenStart;
        this.writtenEnd = writtenEnd;
        this.checksums = checksums;
    }

    /// The offset in the file of the first byte that counts: later parts may have replaced those before it.
    long start() {
        return start;
    }

    /// The offset of the first byte after it that does not count.
    long end() {
        return end;
    }

    /// A part that was just written.
    ///
    /// @param bytes its content, from position to limit
    static CachedPart of(long start, ByteBuffer bytes) {
        long end = start + bytes.remaining();
        int[] sums = new int[pieces(start, end)];
        CRC32C crc = new CRC32C();
        ByteBuffer piece = bytes.duplicate();
        for (int i = 0; i < sums.length; i++) {
            long pieceEnd = Math.min(end, (start / PIECE + i + 1) * PIECE);
            piece.limit(bytes.position() + (int) (pieceEnd - start));
            crc.reset();
            crc.update(piece);
            sums[i] = (int) crc.getValue();
        }
        return new CachedPart(start, end, start, end, sums);
    }

    /// How many pieces a range has; the first and the last may be cut.
    private static int pieces(long start, long end) {
        return (int) ((end + PIECE - 1) / PIECE - start / PIECE);
    }

    /// The same with fewer bytes that count. Pieces and their checksums stay those that were written.
    CachedPart cut(long from, long to) {
        return new CachedPart(from, to, writtenStart, writtenEnd, checksums);
    }

    /// The offset at which the piece of a byte begins.
    long pieceStart(long offset) {
        return Math.max(writtenStart, offset / PIECE * PIECE);
    }

    /// The offset after the piece of a byte.
    long pieceEnd(long offset) {
        return Math.min(writtenEnd, (offset / PIECE + 1) * PIECE);
    }

    /// The CRC-32C of the piece of a byte, as it was written.
    int checksum(long offset) {
        return checksums[(int) (offset / PIECE - writtenStart / PIECE)];
    }

    /// The record of this part in the list of an entry.
    ByteBuffer encode(long entry) {
        ByteBuffer record = ByteBuffer.allocate(FIXED_BYTES + checksums.length * Integer.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN);
        record.putLong(MAGIC).putLong(entry).putLong(writtenStart).putLong(writtenEnd).putInt(checksums.length);
        for (int sum : checksums) {
            record.putInt(sum);
        }
        record.putInt(checksumOf(record, 0, record.position()));
        return record.flip();
    }

    /// Reads the record at a buffer's position, and moves it behind; null if there is none that is whole.
    static @Nullable CachedPart decode(ByteBuffer list, long entry, long fileLength) {
        int at = list.position();
        if (list.remaining() < FIXED_BYTES || list.getLong(at) != MAGIC) {
            return null;
        }
        long start = list.getLong(at + 2 * Long.BYTES);
        long end = list.getLong(at + 3 * Long.BYTES);
        int count = list.getInt(at + 4 * Long.BYTES);
        boolean sane = list.getLong(at + Long.BYTES) == entry && start >= 0 && start < end && end <= fileLength
                && count > 0 && count <= MOST_PIECES && count == pieces(start, end)
                && list.remaining() >= FIXED_BYTES + count * Integer.BYTES;
        int sumAt = at + FIXED_BYTES - Integer.BYTES + count * Integer.BYTES;
        if (!sane || list.getInt(sumAt) != checksumOf(list, at, sumAt)) {
            return null;
        }
        int[] sums = new int[count];
        for (int i = 0; i < count; i++) {
            sums[i] = list.getInt(at + FIXED_BYTES - Integer.BYTES + i * Integer.BYTES);
        }
        list.position(sumAt + Integer.BYTES);
        return new CachedPart(start, end, start, end, sums);
    }

    /// Over everything of a record before it, so that a cut record is none.
    private static int checksumOf(ByteBuffer bytes, int from, int to) {
        CRC32C crc = new CRC32C();
        crc.update(bytes.duplicate().position(from).limit(to));
        return (int) crc.getValue();
    }
}
