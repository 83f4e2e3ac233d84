package io.fastsafetensors.core.storage.cache;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/// The parts of a file that its copy holds. Parts do not overlap: one that is added replaces what it covers. Thread-safe.
final class PartTable {
    private final long entry;
    private final long fileLength;
    private final TreeMap<Long, CachedPart> parts = new TreeMap<>();

    /// @param entry the id that records must have; those of an entry that was removed meanwhile have another
    /// @param fileLength bytes of the remote file, which no part may exceed
    PartTable(long entry, long fileLength) {
        this.entry = entry;
        this.fileLength = fileLength;
    }

    /// Adds the records of a list. What is no whole record (a writer was killed, or has not finished) is passed over.
    ///
    /// @param list from its position on; read to its end
    /// @return how many bytes are done with: what follows them may be the beginning of a record
    synchronized int addAll(ByteBuffer list) {
        int done = list.position();
        while (list.hasRemaining()) {
            CachedPart part = CachedPart.decode(list, entry, fileLength);
            if (part == null) {
                list.position(list.position() + 1);
            } else {
                add(part);
                done = list.position();
            }
        }
        return done;
    }

    /// Cuts or removes the parts that it covers: what was written last is what the copy has.
    synchronized void add(CachedPart part) {
        Map.Entry<Long, CachedPart> before = parts.lowerEntry(part.end());
        while (before != null && before.getValue().end() > part.start()) {
            CachedPart old = before.getValue();
            parts.remove(old.start());
            if (old.start() < part.start()) {
                parts.put(old.start(), old.cut(old.start(), part.start()));
            }
            if (old.end() > part.end()) {
                parts.put(part.end(), old.cut(part.end(), old.end()));
            }
            before = parts.lowerEntry(part.end());
        }
        parts.put(part.start(), part);
    }

    /// Forgets a part whose bytes are not what they should be.
    synchronized void remove(CachedPart part) {
        parts.remove(part.start(), part);
    }

    /// Forgets every part that has bytes in a range.
    synchronized void remove(long from, long to) {
        covering(from, to).forEach(this::remove);
    }

    /// The end of what is held without a gap from an offset on, at most `to`; `from` if nothing is.
    ///
    /// Walks over neighbouring parts; a copy that was read in blocks has one for each.
    synchronized long heldUntil(long from, long to) {
        long at = from;
        while (at < to) {
            Map.Entry<Long, CachedPart> part = parts.floorEntry(at);
            if (part == null || part.getValue().end() <= at) {
                return at;
            }
            at = part.getValue().end();
        }
        return to;
    }

    /// The first offset from `from` on that is held, at most `to`.
    synchronized long nextHeld(long from, long to) {
        Long next = parts.ceilingKey(from);
        return next == null ? to : Math.min(next, to);
    }

    /// The part that holds a byte; null if none does.
    synchronized @Nullable CachedPart at(long offset) {
        Map.Entry<Long, CachedPart> part = parts.floorEntry(offset);
        return part == null || part.getValue().end() <= offset ? null : part.getValue();
    }

    /// Walks over all: only asked for when the copy turned out to be unreadable.
    private List<CachedPart> covering(long from, long to) {
        List<CachedPart> found = new ArrayList<>();
        for (CachedPart part : parts.values()) {
            if (part.start() < to && part.end() > from) {
                found.add(part);
            }
        }
        return found;
    }

    /// How many bytes are held.
    synchronized long bytes() {
        return parts.values().stream().mapToLong(part -> part.end() - part.start()).sum();
    }

    /// A range of a file that was written to its copy, with a checksum for each piece. A piece is what lies between two
    /// multiples of 64 KiB, so that a read elsewhere has little to read besides. Immutable.
    ///
    /// A record of the list, little-endian: magic, the entry's id, first byte and end, the number of pieces, their
    /// CRC-32Cs, and a CRC-32C of all before it. A reader that finds no magic or a wrong checksum looks for the next
    /// record one byte later.
    static final class CachedPart {
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
}
