package io.fastsafetensors.core.header;

import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.error.Printable;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Recognizes what was refused as a safetensors file by how it begins and by its name: what lies in its place after a
/// download or a clone that went wrong, and other formats. Asked after the verdict, which stays the same.
///
/// Takes 4 KiB of the file and no more, and throws nothing of its own: whatever comes in place of a model may be of any
/// size and content. What is shown of it is cut and escaped.
///
/// The order matters: names before content, a plausible header before every magic number (a damaged safetensors file
/// is no foreign one), exact magic numbers before guesses at text.
final class ForeignFile {
    /// Bytes that are looked at: enough for the magic of a tar archive and the title of a page.
    private static final int BEGINNING = 4096;
    /// Characters of a text that are shown.
    private static final int SHOWN = 160;
    /// A header's length that no file has; the first eight characters of a text make a larger one.
    private static final long IMPLAUSIBLE = 1L << 40;
    private static final int TAR_MAGIC = 257;
    /// Of a Git LFS pointer: the size of the file that it stands for, in bytes.
    private static final Pattern LFS_SIZE = Pattern.compile("^size (\\d+)$", Pattern.MULTILINE);
    /// Of an HTML page: often says why the file was not given.
    private static final Pattern TITLE = Pattern.compile("<title[^>]*>([^<]*)<", Pattern.CASE_INSENSITIVE);
    /// Of an object store's error: its name.
    private static final Pattern CODE = Pattern.compile("<Code>([^<]*)</Code>");
    private static final String CONVERT =
            "load it with the library that wrote it, and save it in the safetensors format";
    private static final String AGAIN =
            "read it, see to the access that the download needs (log in, accept the terms, give"
                    + " a token), and download the file again";

    private final String name;
    private final byte[] bytes;
    private final long fileLength;

    private ForeignFile(String name, byte[] bytes, long fileLength) {
        this.name = name;
        this.bytes = bytes;
        this.fileLength = fileLength;
    }

    /// What the file is instead, and the way out; empty if it begins as a safetensors file does, or like nothing known.
    static Optional<String> describe(FileBytes file) {
        return new ForeignFile(file.location().name(), file.beginning(BEGINNING), file.length()).describe();
    }

    private Optional<String> describe() {
        Optional<String> sidecar = sidecar();
        if (sidecar.isPresent()) {
            return sidecar;
        }
        if (bytes.length == 0) {
            return Optional.of("the file is empty: its download or its writing never began; get it again");
        }
        if (isHeader()) {
            return Optional.empty();
        }
        return magic().or(this::container).or(this::text).or(this::zeros);
    }

    /// By name, before anything else: what lies beside a file may begin like anything.
    private Optional<String> sidecar() {
        if (startsWith(0x00, 0x05, 0x16, 0x07) || name.startsWith("._")) {
            return Optional.of("this is an AppleDouble sidecar (._*), which macOS writes next to a file on other file"
                    + " systems; open the file without ._ before its name, and delete this one");
        }
        for (String suffix : new String[] {".lock", ".metadata", ".incomplete"}) {
            if (name.endsWith(suffix)) {
                return Optional.of(suffix.equals(".incomplete")
                        ? "this is a part of a download that did not end; download the file again"
                        : "this is a sidecar (" + suffix + ") that a download left; open the file itself");
            }
        }
        return Optional.empty();
    }

    /// Whether it begins with a plausible length and an object: what follows may be broken, but is a header.
    private boolean isHeader() {
        if (bytes.length <= Long.BYTES) {
            return false;
        }
        long length = 0;
        for (int i = Long.BYTES - 1; i >= 0; i--) {
            length = length << 8 | (bytes[i] & 0xff);
        }
        int at = Long.BYTES;
        while (at < bytes.length && isSpace(bytes[at])) {
            at++;
        }
        return length > 0 && length < IMPLAUSIBLE && at < bytes.length && bytes[at] == '{';
    }

    private static boolean isSpace(byte b) {
        return b == ' ' || b == '\t' || b == '\n' || b == '\r';
    }

    /// Formats that models are kept in.
    private Optional<String> magic() {
        if (startsWith("GGUF") || startsWith("FUGG") || startsWith("lmgg") || startsWith("tjgg")
                || startsWith("fmgg") || startsWith("algg")) {
            return Optional.of("this is a GGUF file, for llama.cpp; download the model in the safetensors format");
        }
        if (startsWith(0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n')) {
            return Optional.of("this is an HDF5 file (.h5), as Keras writes; " + CONVERT);
        }
        if (startsWith(0x93, 'N', 'U', 'M', 'P', 'Y')) {
            return Optional.of("this is a NumPy array (.npy); load it with NumPy, and save it with"
                    + " safetensors.numpy.save_file");
        }
        boolean pickle = startsWith(0x80) && bytes.length > 2 && bytes[1] >= 1 && bytes[1] <= 5 && bytes[2] != 0;
        if (pickle || startsWith("ccollections\n") || startsWith("ctorch") || startsWith("cnumpy")
                || startsWith("(dp") || startsWith("(lp")) {
            return Optional
                    .of("this is a Python pickle, as old PyTorch checkpoints are (.bin, .pt, .pth); it may run code"
                            + " when it is loaded: load it with torch.load(weights_only=True), and save it with"
                            + " safetensors.torch.save_file");
        }
        return Optional.empty();
    }

    /// Archives and compressed files.
    private Optional<String> container() {
        if (startsWith("PK\u0003\u0004") || startsWith("PK\u0005\u0006")) {
            return Optional.of(zip());
        }
        boolean tar = bytes.length >= TAR_MAGIC + 5
                && new String(bytes, TAR_MAGIC, 5, StandardCharsets.ISO_8859_1).equals("ustar");
        if (tar) {
            return Optional.of("this is a tar archive; unpack it, and open what it holds");
        }
        String packed = startsWith(0x1f, 0x8b) ? "gzip" : startsWith(0x28, 0xb5, 0x2f, 0xfd) ? "Zstandard"
                : startsWith(0xfd, '7', 'z', 'X', 'Z', 0) ? "xz"
                        : startsWith('B', 'Z', 'h') && bytes.length > 3 && bytes[3] >= '1' && bytes[3] <= '9' ? "bzip2"
                                : startsWith('7', 'z', 0xbc, 0xaf, 0x27, 0x1c) ? "7z" : "";
        return packed.isEmpty() ? Optional.empty()
                : Optional.of("this is compressed (" + packed + "); unpack it, and open what it holds");
    }

    /// PyTorch's format is a zip file, told by names that are in clear in its first entries.
    private String zip() {
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        if (text.contains("data.pkl") || text.contains("/byteorder") || text.contains(".format_version")) {
            return "this is a zip file of PyTorch (.pt, .pth, .bin), which holds a pickle; load it with"
                    + " torch.load(weights_only=True), and save it with safetensors.torch.save_file";
        }
        if (text.contains(".npy")) {
            return "this is a zip file of NumPy arrays (.npz); load it with NumPy, and save it with"
                    + " safetensors.numpy.save_file";
        }
        return "this is a zip file; if PyTorch wrote it, save it again with safetensors.torch.save_file, else unpack it and"
                + " open what it holds";
    }

    /// What a server or a version control system gives in place of the file.
    private Optional<String> text() {
        String whole = decode();
        if (whole == null) {
            return Optional.empty();
        }
        String text = whole.strip();
        String lower = text.toLowerCase(Locale.ROOT);
        if (text.startsWith("version https://git-lfs.github.com/")
                || text.startsWith("version https://hawser.github.com/")) {
            Matcher size = LFS_SIZE.matcher(text);
            return Optional.of("this is a Git LFS pointer to the file"
                    + (size.find() ? " of " + size.group(1) + " bytes"
                            : "")
                    + ", not the file; run git lfs pull in its repository (git lfs install before, if need be), or"
                    + " download the file");
        }
        if (lower.startsWith("<!doctype html") || lower.startsWith("<html") || lower.startsWith("<head")
                || (lower.startsWith("<") && lower.contains("<html"))) {
            Matcher title = TITLE.matcher(text);
            return Optional.of("this is an HTML page" + (title.find() ? " (" + shown(title.group(1)) + ")" : "")
                    + " that a server gave in place of the file; " + AGAIN);
        }
        if (text.startsWith("<")) {
            Matcher code = CODE.matcher(text);
            return Optional.of("this is an XML document" + (code.find() ? " (" + shown(code.group(1)) + ")" : "")
                    + ", such as an object store gives in place of a file; " + AGAIN);
        }
        if (text.startsWith("{") || text.startsWith("[")) {
            return Optional.of(text.contains("\"weight_map\"")
                    ? "this is the JSON of an index; give it a name that ends in .safetensors.index.json, or open the"
                            + " directory"
                    : "this is JSON (" + shown(text) + "), such as the error that a server gives in place of a file; "
                            + AGAIN);
        }
        return text.isEmpty() ? Optional.empty()
                : Optional.of(
                        "this is plain text (" + shown(text) + "), such as a message that a server gives in place of a"
                                + " file; " + AGAIN);
    }

    /// Downloaders reserve a file's space before they fill it.
    private Optional<String> zeros() {
        for (byte b : bytes) {
            if (b != 0) {
                return Optional.empty();
            }
        }
        return Optional.of("the file begins with zeros: its place was reserved, and its download or its writing did not"
                + " end; get it again");
    }

    /// The beginning as text; null if it is none.
    ///
    /// Control characters other than white space make it binary.
    private @Nullable String decode() {
        CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
        CharBuffer text = CharBuffer.allocate(bytes.length);
        // A character may be cut where the beginning ends.
        CoderResult result = decoder.decode(ByteBuffer.wrap(bytes), text, bytes.length == fileLength);
        String decoded = text.flip().toString();
        boolean printable = decoded.chars().allMatch(c -> (c >= ' ' && c != 0x7f) || c == '\n' || c == '\r' || c == '\t'
                || c == '\f');
        return result.isError() || !printable ? null : decoded.startsWith("\ufeff") ? decoded.substring(1) : decoded;
    }

    /// In one line, cut and escaped.
    private static String shown(String text) {
        String line = text.strip().replaceAll("\\s+", " ");
        return Printable.escape(line.length() > SHOWN ? line.substring(0, SHOWN) + "…" : line);
    }

    private boolean startsWith(String magic) {
        return startsWith(magic.chars().toArray());
    }

    private boolean startsWith(int... magic) {
        if (bytes.length < magic.length) {
            return false;
        }
        for (int i = 0; i < magic.length; i++) {
            if ((bytes[i] & 0xff) != magic[i]) {
                return false;
            }
        }
        return true;
    }
}
