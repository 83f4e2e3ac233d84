package io.fastsafetensors.core.storage.cache;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

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
}
