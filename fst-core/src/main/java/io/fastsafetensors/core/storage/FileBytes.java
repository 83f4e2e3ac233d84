package io.fastsafetensors.core.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Reads bytes of an open file into arrays, as headers, indexes and references are read. For one thread.
///
/// Storages read into native memory, and JSON parsers take arrays: bytes pass through a buffer of the thread's, which
/// stays with the thread, so that a thread that reads a thousand headers allocates one.
public final class FileBytes {
    /// Bytes of one read: a header of most models comes in one or two.
    private static final int BUFFER = 64 << 10;
    /// Freed by the garbage collector when the thread has ended.
    private static final ThreadLocal<MemorySegment> BUFFERS = ThreadLocal
            .withInitial(() -> Arena.ofAuto().allocate(BUFFER, 8));

    private final StorageFile file;
    private final int mostRecorded;
    /// What was read so far, from the first byte on; null when it is too much, or was not read in order.
    private byte @Nullable [] record;
    private int recorded;

    /// @param file stays the caller's
    public FileBytes(StorageFile file) {
        this(file, 0);
    }

    /// Keeps what is read besides, for [#recorded(long)].
    ///
    /// @param file stays the caller's
    /// @param mostRecorded the most bytes that are kept; 0 for none
    public FileBytes(StorageFile file, int mostRecorded) {
        this.file = file;
        this.mostRecorded = mostRecorded;
        this.record = mostRecorded == 0 ? null : new byte[0];
    }

    /// Where it was opened.
    public Location location() {
        return file.location();
    }

    /// Its length in bytes when it was opened.
    public long length() {
        return file.length();
    }

    /// The first bytes of the file.
    ///
    /// @param most how many are wanted
    /// @return as many, or all that the file has now
    public byte[] beginning(int most) {
        byte[] bytes = new byte[(int) Math.min(most, length())];
        int done = 0;
        while (done < bytes.length) {
            int got = read(done, bytes, done, bytes.length - done);
            if (got == 0) {
                return Arrays.copyOf(bytes, done);
            }
            done += got;
        }
        return bytes;
    }

    /// Reads all bytes of a range into memory: a storage may give less at a time.
    ///
    /// @param where what the range is of, for the message
    /// @param target native memory
    /// @throws StorageException if the file ends before the range does, because it shrank
    public static void fill(StorageFile file, Where where, long offset, MemorySegment target, long targetOffset,
            long bytes) {
        for (long done = 0; done < bytes;) {
            long got = file.read(offset + done, target, targetOffset + done, bytes - done);
            if (got == 0) {
                throw new StorageException("the file ended " + (bytes - done) + " bytes early: it shrank while it was"
                        + " being read", where.withOffset(offset + done));
            }
            done += got;
        }
    }

    /// Reads at an offset, once: a storage may give fewer bytes than are wanted, and the caller goes on behind them.
    ///
    /// At most 64 KiB for each call.
    ///
    /// @return how many bytes were read, 1 at least, or 0 at the end of the file
    public int read(long offset, byte[] target, int targetOffset, int bytes) {
        MemorySegment buffer = BUFFERS.get();
        int got = (int) file.read(offset, buffer, 0, Math.min(bytes, BUFFER));
        MemorySegment.copy(buffer, ValueLayout.JAVA_BYTE, 0, target, targetOffset, got);
        record(offset, target, targetOffset, got);
        return got;
    }

    private void record(long offset, byte[] from, int at, int bytes) {
        byte[] all = record;
        if (all == null) {
            return;
        }
        if (offset != recorded || bytes > mostRecorded - recorded) {
            record = null;
            return;
        }
        if (bytes > all.length - recorded) {
            all = Arrays.copyOf(all, Math.max(recorded + bytes, (int) Math.min(mostRecorded, 2L * all.length)));
            record = all;
        }
        System.arraycopy(from, at, all, recorded, bytes);
        recorded += bytes;
    }

    /// What was read, if that is the beginning of the file in order and nothing else; the very bytes that the reader saw.
    ///
    /// @param bytes how many there should be
    /// @return null if other bytes were read, or too many
    public byte @Nullable [] recorded(long bytes) {
        byte[] all = record;
        return all == null || recorded != bytes ? null : all.length == recorded ? all : Arrays.copyOf(all, recorded);
    }

    /// Whether the file begins with these bytes now.
    public boolean startsWith(byte[] text) {
        MemorySegment expected = MemorySegment.ofArray(text);
        MemorySegment buffer = BUFFERS.get();
        for (int done = 0; done < text.length;) {
            int got = (int) file.read(done, buffer, 0, Math.min(text.length - done, BUFFER));
            if (got == 0 || MemorySegment.mismatch(expected, done, done + got, buffer, 0, got) >= 0) {
                return false;
            }
            done += got;
        }
        return true;
    }
}
