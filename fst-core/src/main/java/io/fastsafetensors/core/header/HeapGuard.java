package io.fastsafetensors.core.header;

import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.types.Location;
import java.util.function.LongSupplier;

/// Refuses a header before it takes more heap than there is: a header of 100 MB may hold fifty million dimensions or eight
/// million keys, each of which is an object in the end. What is kept is estimated as it grows; the heap is looked at each
/// time that it grew by some megabytes, so that headers of models pay nothing. For one header and one thread.
///
/// An `OutOfMemoryError` would hit whichever thread of the program allocates next; this fails the one that reads the
/// header, with the way out in its message.
final class HeapGuard {
    /// What a header may take without being looked at.
    private static final long STEP = 8 << 20;
    /// What keeping so much costs besides while it grows: arrays that double are copied.
    private static final int GROWTH_PART = 2;
    /// Bytes that characters of one token take in the parser while it grows and becomes a string.
    private static final int BYTES_PER_CHARACTER = 6;

    private final Location file;
    private final LongSupplier available;
    private long kept;
    private long next = STEP;
    /// Characters since something was last kept: they may all belong to one string that the parser is collecting.
    private long token;
    private long nextToken = STEP;

    /// For a header of `file`, in the heap of this process.
    HeapGuard(Location file) {
        this(file, HeapGuard::availableHeap);
    }

    /// @param available how many bytes of heap can be had
    HeapGuard(Location file, LongSupplier available) {
        this.file = file;
        this.available = available;
    }

    /// What may still be allocated, as far as the JVM knows: other threads may take it meanwhile, so this bounds the
    /// damage and promises nothing.
    private static long availableHeap() {
        Runtime runtime = Runtime.getRuntime();
        return runtime.maxMemory() - (runtime.totalMemory() - runtime.freeMemory());
    }

    /// So many bytes more are kept.
    ///
    /// @throws FormatException HeaderTooLarge if the heap has no room for what follows
    void keep(long bytes) {
        kept += bytes;
        token = 0;
        nextToken = STEP;
        if (kept >= next) {
            next = kept + STEP;
            require(STEP + kept / GROWTH_PART);
        }
    }

    /// So many characters more were read; they may all belong to one token.
    ///
    /// @throws FormatException HeaderTooLarge if the heap has no room for a string of them
    void read(int characters) {
        token += characters;
        if (token >= nextToken) {
            nextToken = token + STEP;
            require((token + STEP) * BYTES_PER_CHARACTER);
        }
    }

    /// So many bytes are about to be allocated at once.
    ///
    /// A garbage collection is asked for before the refusal, and not otherwise.
    ///
    /// @throws FormatException HeaderTooLarge if the heap has no room for them
    void require(long bytes) {
        if (bytes < STEP || bytes <= available.getAsLong()) {
            return;
        }
        // Garbage counts as used until it was collected.
        System.gc();
        long left = available.getAsLong();
        if (bytes > left) {
            throw new FormatException(FormatError.HEADER_TOO_LARGE, "reading the header takes " + bytes
                    + " bytes of heap more, and the JVM has " + left
                    + " left; raise its limit (-Xmx), or check that the"
                    + " header is one of a model", file.where());
        }
    }
}
