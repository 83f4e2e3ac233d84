package io.fastsafetensors.core.group;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/// What a rank of a local group calls, with the memory it offers; compared with what the others call. Immutable.
final class Call {
    private static final byte[] NOTHING = {};
    /// Of a rank that has not called.
    static final Call NONE = plain(Kind.NONE, NOTHING);
    /// The end of an operation on data.
    static final Call END = plain(Kind.END, NOTHING);

    enum Kind {
        NONE, BARRIER, EXCHANGE, BROADCAST, SCATTER, ALL_GATHER, PIECES, TRANSFER, END
    }

    private final Kind kind;
    private final int root;
    private final long bytes;
    private final byte[] message;
    private final List<Offer> offers;

    private Call(Kind kind, int root, long bytes, byte[] message, List<Offer> offers) {
        this.kind = kind;
        this.root = root;
        this.bytes = bytes;
        this.message = message;
        this.offers = offers;
    }

    static Call plain(Kind kind, byte[] message) {
        return new Call(kind, -1, -1, message, List.of());
    }

    /// @param root the rank that the data comes from, −1 if from all
    /// @param bytes how many bytes this rank expects
    /// @param offers this rank's memory that others read: one for all, or one a receiver
    static Call data(Kind kind, int root, long bytes, List<Offer> offers) {
        return new Call(kind, root, bytes, NOTHING, offers);
    }

    /// @param bytes of all pieces
    /// @param told roots and sizes, which are the same on every rank
    /// @param offers this rank's memory for each piece, of which others read those it is the root of
    static Call pieces(long bytes, byte[] told, List<Offer> offers) {
        return new Call(Kind.PIECES, -1, bytes, told.clone(), offers);
    }

    long bytes() {
        return bytes;
    }

    /// A copy of the message of an exchange.
    byte[] message() {
        return message.clone();
    }

    List<Offer> offers() {
        return offers;
    }

    /// Whether two ranks that call this go together.
    boolean agrees(Call other) {
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
