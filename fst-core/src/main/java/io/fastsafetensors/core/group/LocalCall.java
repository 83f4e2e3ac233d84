package io.fastsafetensors.core.group;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/// A description of one rank's call in a local group, with the memory it offers; compared with the others' calls.
/// Immutable.
///
/// Calls travel as objects and not as bytes, because they carry memory: what a rank offers can be read by the others
/// as soon as they have met.
final class LocalCall {
    private static final byte[] NOTHING = {};
    /// Of a rank that has not called.
    static final LocalCall NONE = plain(Kind.NONE, NOTHING);
    /// The end of an operation on data.
    static final LocalCall END = plain(Kind.END, NOTHING);

    enum Kind {
        NONE, BARRIER, EXCHANGE, BROADCAST, SCATTER, ALL_GATHER, PIECES, TRANSFER, END
    }

    private final Kind kind;
    /// The rank that the data comes from, −1 if from all or from none.
    private final int root;
    private final long bytes;
    /// Of an exchange; for pieces, what must be the same on every rank.
    private final byte[] message;
    private final List<SharedSlice> offers;

    private LocalCall(Kind kind, int root, long bytes, byte[] message, List<SharedSlice> offers) {
        this.kind = kind;
        this.root = root;
        this.bytes = bytes;
        this.message = message;
        this.offers = offers;
    }

    static LocalCall plain(Kind kind, byte[] message) {
        return new LocalCall(kind, -1, -1, message, List.of());
    }

    /// @param root the rank that the data comes from, −1 if from all
    /// @param bytes how many bytes this rank expects
    /// @param offers this rank's memory that others read: one for all, or one a receiver
    static LocalCall data(Kind kind, int root, long bytes, List<SharedSlice> offers) {
        return new LocalCall(kind, root, bytes, NOTHING, offers);
    }

    /// @param bytes of all pieces
    /// @param told roots and sizes, which are the same on every rank
    /// @param offers this rank's memory for each piece, of which others read those it is the root of
    static LocalCall pieces(long bytes, byte[] told, List<SharedSlice> offers) {
        return new LocalCall(Kind.PIECES, -1, bytes, told.clone(), offers);
    }

    long bytes() {
        return bytes;
    }

    /// A copy of the message of an exchange.
    byte[] message() {
        return message.clone();
    }

    List<SharedSlice> offers() {
        return offers;
    }

    /// Whether two ranks that call this go together.
    boolean agrees(LocalCall other) {
        return kind == other.kind && root == other.root && (bytes == other.bytes || kind == Kind.SCATTER)
                && (kind != Kind.PIECES || Arrays.equals(message, other.message));
    }

    /// The call for people.
    @Override
    public String toString() {
        return kind.name().toLowerCase(Locale.ROOT).replace('_', ' ')
                + (bytes < 0 || kind == Kind.SCATTER ? "" : " of " + bytes + " bytes")
                + (kind == Kind.PIECES ? " in " + offers.size() : "")
                + (root < 0 ? "" : " from rank " + root);
    }
}
