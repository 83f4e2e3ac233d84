package io.fastsafetensors.spi.storage;

/// Identifies one version of a file: two versions of different bytes have different identities. A local file's is made of
/// device, inode, length and the time of its last change, a remote one's of its ETag or version. Immutable.
public final class FileIdentity {
    private final String text;

    private FileIdentity(String text) {
        this.text = text;
    }

    /// An identity.
    ///
    /// @param text compared for equality, and shown in messages: no secret
    public static FileIdentity of(String text) {
        return new FileIdentity(text);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof FileIdentity that && text.equals(that.text);
    }

    @Override
    public int hashCode() {
        return text.hashCode();
    }

    /// The identity's text.
    @Override
    public String toString() {
        return text;
    }
}
