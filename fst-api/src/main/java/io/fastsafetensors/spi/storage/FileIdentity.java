package io.fastsafetensors.spi.storage;

/// Identifies one version of a file: two versions of different bytes have different identities. A local file's is made of
/// device, inode, length and the time of its last change, a remote one's of its ETag or version. Immutable.
public final class FileIdentity {
    private static final long UNKNOWN = -1;

    private final String object;
    private final long length;
    private final String version;

    private FileIdentity(String object, long length, String version) {
        this.object = object;
        this.length = length;
        this.version = version;
    }

    /// An identity that is one text.
    ///
    /// @param text compared for equality, and shown in messages: no secret
    public static FileIdentity of(String text) {
        return new FileIdentity("", UNKNOWN, text);
    }

    /// An identity whose parts tell what happened to a file.
    ///
    /// @param object what is there, such as a device and an inode: another one is another file
    /// @param length its bytes, −1 if unknown
    /// @param version what changes with every write, such as a time. No part is secret: messages may show it
    public static FileIdentity of(String object, long length, String version) {
        return new FileIdentity(object, length, version);
    }

    /// What happened to a file that had this identity and has another one now, in words that follow "the file".
    public String changeTo(FileIdentity now) {
        if (!object.equals(now.object)) {
            return "was replaced by another";
        }
        if (length != now.length && length != UNKNOWN && now.length != UNKNOWN) {
            return (now.length > length ? "grew" : "shrank") + " from " + length + " to " + now.length + " bytes";
        }
        return "was rewritten";
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof FileIdentity that && length == that.length && version.equals(that.version)
                && object.equals(that.object);
    }

    @Override
    public int hashCode() {
        return version.hashCode();
    }

    /// The identity's text.
    @Override
    public String toString() {
        return object.isEmpty() && length == UNKNOWN ? version
                : object + ", " + (length == UNKNOWN ? "" : length + " bytes, ") + version;
    }
}
