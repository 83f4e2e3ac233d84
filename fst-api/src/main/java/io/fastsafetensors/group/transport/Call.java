package io.fastsafetensors.group.transport;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.RankSlice;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;
import java.util.stream.Stream;

/// What one rank calls, as it tells the others before data moves. Immutable.
final class Call {
    private static final long[] NO_PARTS = {};
    private static final byte[] NO_MESSAGE = {};
    private static final int NO_ROOT = -1;

    enum Kind {
        BARRIER('b'), EXCHANGE('e'), BROADCAST('c'), SCATTER('s'), ALL_GATHER('a'), PIECES('p'), TRANSFER('t');

        /// How it is told.
        private final char code;

        Kind(char code) {
            this.code = code;
        }

        private static Kind of(char code) {
            return Stream.of(values()).filter(kind -> kind.code == code).findFirst().orElseThrow();
        }
    }

    private final Kind kind;
    private final int root;
    private final long bytes;
    private final long[] parts;
    private final byte[] message;

    private Call(Kind kind, int root, long bytes, long[] parts, byte[] message) {
        this.kind = kind;
        this.root = root;
        this.bytes = bytes;
        this.parts = parts;
        this.message = message;
    }

    static Call barrier() {
        return new Call(Kind.BARRIER, NO_ROOT, 0, NO_PARTS, NO_MESSAGE);
    }

    static Call exchange(byte[] message) {
        return new Call(Kind.EXCHANGE, NO_ROOT, 0, NO_PARTS, message.clone());
    }

    /// @param parts on the root how much each rank is sent, else empty
    static Call scatter(int root, long bytes, long[] parts) {
        return new Call(Kind.SCATTER, root, bytes, parts.clone(), NO_MESSAGE);
    }

    /// @param kind one that moves equally many bytes everywhere
    /// @param from the rank that they come from
    static Call data(Kind kind, int from, long bytes) {
        return new Call(kind, from, bytes, NO_PARTS, NO_MESSAGE);
    }

    static Call allGather(long bytes) {
        return data(Kind.ALL_GATHER, NO_ROOT, bytes);
    }

    static Call pieces(List<RankSlice> pieces) {
        ByteBuffer each = ByteBuffer.allocate(pieces.size() * (Integer.BYTES + Long.BYTES));
        long bytes = 0;
        for (RankSlice piece : pieces) {
            each.putInt(piece.root()).putLong(piece.slice().byteSize());
            bytes += piece.slice().byteSize();
        }
        return new Call(Kind.PIECES, NO_ROOT, bytes, NO_PARTS, each.array());
    }

    byte[] message() {
        return message.clone();
    }

    byte[] encode() {
        ByteBuffer out =
                ByteBuffer.allocate(Character.BYTES + 2 * Integer.BYTES + Long.BYTES + parts.length * Long.BYTES
                        + message.length);
        out.putChar(kind.code).putInt(root).putLong(bytes).putInt(parts.length);
        for (long part : parts) {
            out.putLong(part);
        }
        return out.put(message).array();
    }

    /// @param from the rank that sent it
    /// @throws GroupException if it is none of these messages
    static Call decode(int from, byte[] encoded) {
        ByteBuffer in = ByteBuffer.wrap(encoded);
        try {
            Kind kind = Kind.of(in.getChar());
            int root = in.getInt();
            long bytes = in.getLong();
            long[] parts = new long[Math.min(in.getInt(), in.remaining() / Long.BYTES)];
            for (int i = 0; i < parts.length; i++) {
                parts[i] = in.getLong();
            }
            byte[] message = new byte[in.remaining()];
            in.get(message);
            return new Call(kind, root, bytes, parts, message);
        } catch (BufferUnderflowException | NoSuchElementException | NegativeArraySizeException e) {
            throw new GroupException("rank " + from + " sent what is no call: does it run another version of fst?",
                    Where.nowhere(), e);
        }
    }

    /// That what two ranks call goes together.
    ///
    /// @throws GroupException if not; it names both calls
    static void requireSame(int rank, Call mine, int otherRank, Call other) {
        boolean same = mine.kind == other.kind && mine.root == other.root
                && (mine.bytes == other.bytes || mine.kind == Kind.SCATTER)
                && (mine.kind != Kind.PIECES || Arrays.equals(mine.message, other.message));
        if (!same) {
            throw new GroupException("the ranks call different things: rank " + rank + " " + mine + ", rank "
                    + otherRank + " " + other, Where.nowhere());
        }
        requirePart(rank, mine, other);
        requirePart(otherRank, other, mine);
    }

    private static void requirePart(int rank, Call receiver, Call sender) {
        if (sender.parts.length > rank && sender.parts[rank] != receiver.bytes) {
            throw new GroupException(sender + ": rank " + rank + " expects " + receiver.bytes + " bytes and is sent "
                    + sender.parts[rank], Where.nowhere());
        }
    }

    /// The call for people.
    @Override
    public String toString() {
        return kind.name().toLowerCase(Locale.ROOT).replace('_', ' ')
                + (kind == Kind.BARRIER || kind == Kind.EXCHANGE || kind == Kind.SCATTER ? ""
                        : " of " + bytes + " bytes")
                + (root < 0 ? "" : " from rank " + root)
                + (kind == Kind.PIECES ? " in " + message.length / (Integer.BYTES + Long.BYTES) : "")
                + (parts.length == 0 ? "" : " of " + Arrays.toString(parts) + " bytes");
    }
}
