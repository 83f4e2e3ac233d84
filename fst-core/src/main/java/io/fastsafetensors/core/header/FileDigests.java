package io.fastsafetensors.core.header;

import io.fastsafetensors.api.Digests;
import io.fastsafetensors.core.digest.Sha256;
import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.LoadInterruptedException;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.FutureTask;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Compares whole files with the SHA-256 that they are expected to have, beside the load that reads them: each is read once
/// more from its begin to its end, through the page cache, and nobody gets a tensor of it before that is done. Thread-safe.
///
/// A digest of a whole file cannot be taken from the blocks of a load, which come in any order and leave out what is
/// not selected; hence the second read, which the page cache serves where the first one left something there. Where
/// digests are found, in this order: given by the caller, `SHA256SUMS`, a sidecar `NAME.sha256`, the name of a blob of
/// the Hugging Face cache.
///
/// The file is read on other threads while the load goes on; [#require(Location)] is what holds back its tensors.
/// `SHA256SUMS` and sidecars are read when the digests are looked for, before anything is loaded.
public final class FileDigests {
    /// Expects nothing.
    public static final FileDigests NONE = new FileDigests(Map.of());

    private static final String SUMS = "SHA256SUMS";
    private static final String SIDECAR = ".sha256";
    private static final String BLOBS = "blobs";
    /// `sha256sum` writes a digest, two characters and a name; a backslash before the digest says that the name is escaped.
    private static final Pattern LINE = Pattern.compile("([0-9a-fA-F]{64})(?: [ *](?:\\./)?(.+))?");
    private static final Pattern BLOB = Pattern.compile("[0-9a-f]{64}");
    /// The most bytes of a list of digests that are read.
    private static final int MOST_BYTES = 16 << 20;
    /// Bytes between two looks at whether anybody still waits.
    private static final int CHUNK = 1 << 20;

    private final Map<Location, Expected> expected;
    /// Filled by [#begin], before anybody asks, and only read afterwards.
    private final Map<Location, FutureTask<Boolean>> checks = new HashMap<>();
    /// Ends checks that are under way at their next chunk.
    private volatile boolean cancelled;

    /// @param digest in lower-case hexadecimal
    /// @param source where it was found, for people
    private record Expected(String digest, String source) {
    }

    private FileDigests(Map<Location, Expected> expected) {
        this.expected = expected;
    }

    /// What files are expected to have; nothing is read of the files themselves.
    ///
    /// @throws FormatException DigestMismatch if a digest is given for a file that the checkpoint does not have
    /// @throws io.fastsafetensors.error.StorageException if a sidecar cannot be read
    /// @param wanted the digests that the caller gave, and whether others are looked for
    public static FileDigests of(ParsedCheckpoint checkpoint, Digests wanted) {
        if (wanted.files().isEmpty() && !wanted.find()) {
            return NONE;
        }
        Map<Location, Expected> expected = new LinkedHashMap<>();
        Map<String, String> given = new HashMap<>(wanted.files());
        Map<Location, Map<String, String>> sums = new HashMap<>();
        for (Location file : checkpoint.files()) {
            String digest = given.remove(file.name());
            Expected found = digest != null ? new Expected(digest, "given")
                    : wanted.find() ? find(file, checkpoint.sources(), sums) : null;
            if (found != null) {
                expected.put(file, found);
            }
        }
        if (!given.isEmpty()) {
            throw new FormatException(FormatError.DIGEST_MISMATCH, "a digest is expected of " + given.keySet()
                    + ", and the checkpoint has no such file", checkpoint.location().where());
        }
        return new FileDigests(expected);
    }

    /// The first place that has a digest of a file.
    ///
    /// @param sums the lines of `SHA256SUMS` by directory, each read once
    private static @Nullable Expected find(Location file, SourceFiles sources,
            Map<Location, Map<String, String>> sums) {
        Location directory = file.parent().orElse(null);
        if (directory == null) {
            return null;
        }
        String sum = sums.computeIfAbsent(directory, _ -> lines(directory.resolve(SUMS), sources)).get(file.name());
        if (sum != null) {
            return new Expected(sum, SUMS);
        }
        Map<String, String> own = lines(directory.resolve(file.name() + SIDECAR), sources);
        String alone = own.getOrDefault(file.name(), own.get(""));
        return alone != null ? new Expected(alone, file.name() + SIDECAR) : blob(file);
    }

    /// The lines of a file of digests by name; empty if it is not there.
    ///
    /// Lines that are no digest (comments, signatures) are passed over. A sidecar may consist of the digest alone,
    /// which then has the empty name.
    private static Map<String, String> lines(Location file, SourceFiles sources) {
        Map<String, String> digests = new HashMap<>();
        if (sources.storage(file).kind(file) != Storage.Kind.FILE) {
            return digests;
        }
        byte[] text = sources.file(file).reading(open -> new FileBytes(open).beginning(MOST_BYTES));
        for (String line : new String(text, StandardCharsets.UTF_8).split("\\R")) {
            Matcher parts = LINE.matcher(line.strip());
            if (parts.matches()) {
                String name = parts.group(2);
                digests.put(name == null ? "" : name, parts.group(1).toLowerCase(Locale.ROOT));
            }
        }
        return digests;
    }

    /// A Hugging Face cache keeps large files under their digests, in `blobs`, and links to them.
    private static @Nullable Expected blob(Location file) {
        if (!file.isLocal()) {
            return null;
        }
        try {
            Path real = file.path().orElseThrow().toRealPath();
            Path name = real.getFileName();
            Path directory = real.getParent() == null ? null : real.getParent().getFileName();
            return name != null && directory != null && directory.toString().equals(BLOBS)
                    && BLOB.matcher(name.toString()).matches()
                            ? new Expected(name.toString(), "name of the Hugging Face blob") : null;
        } catch (IOException e) {
            System.getLogger("io.fastsafetensors.core").log(System.Logger.Level.DEBUG, "no real path of " + file, e);
            return null;
        }
    }

    /// Where the digest of each file that has one was found.
    public Map<Location, String> sources() {
        Map<Location, String> found = new LinkedHashMap<>();
        expected.forEach((file, digest) -> found.put(file, digest.source));
        return found;
    }

    /// Begins to read the files. Called once, before anybody asks. Workers end when nothing is waiting.
    ///
    /// @param sources one hold of it is taken until all are read
    /// @param threads runs work beside the caller
    /// @throws java.util.concurrent.RejectedExecutionException if the executor takes no work; what was retained is
    ///        released
    public void begin(SourceFiles sources, Executor threads) {
        if (expected.isEmpty()) {
            return;
        }
        Queue<FutureTask<Boolean>> waiting = new ConcurrentLinkedQueue<>();
        expected.forEach((file, digest) -> {
            FutureTask<Boolean> check = new FutureTask<>(() -> check(file, digest, sources));
            checks.put(file, check);
            waiting.add(check);
        });
        int workers = Math.min(expected.size(), Runtime.getRuntime().availableProcessors());
        for (int i = 0; i < workers; i++) {
            sources.retain();
            boolean begun = false;
            try {
                threads.execute(() -> {
                    try (sources) {
                        for (FutureTask<Boolean> next = waiting.poll(); next != null; next = waiting.poll()) {
                            next.run();
                        }
                    }
                });
                begun = true;
            } finally {
                if (!begun) {
                    sources.close();
                }
            }
        }
    }

    /// Reads the file and compares; a load that was cancelled compares nothing.
    ///
    /// A file that changes while it is read fails with the change as the reason, not with a mismatch.
    private boolean check(Location file, Expected digest, SourceFiles sources) {
        String found = sources.file(file).reading(open -> {
            MessageDigest sha = Sha256.create();
            byte[] chunk = new byte[CHUNK];
            FileBytes reader = new FileBytes(open);
            for (long at = 0; at < open.length() && !cancelled;) {
                int got = reader.read(at, chunk, 0, CHUNK);
                if (got == 0) {
                    break;
                }
                sha.update(chunk, 0, got);
                at += got;
            }
            return Sha256.hex(sha);
        });
        if (!cancelled && !found.equals(digest.digest)) {
            throw new FormatException(FormatError.DIGEST_MISMATCH, "the file has the SHA-256 " + found + ", and "
                    + digest.digest + " is expected (" + digest.source
                    + "): it is damaged or another one; get it again",
                    file.where());
        }
        return true;
    }

    /// Whether nobody has to wait for the digest of a file. One without a digest is done.
    boolean isDone(Location file) {
        FutureTask<Boolean> check = checks.get(file);
        return check == null || check.isDone();
    }

    /// Waits until a file was compared, and throws if it is not what was expected.
    ///
    /// To each caller an exception of its own.
    ///
    /// @throws FormatException DigestMismatch
    /// @throws LoadInterruptedException if the thread is interrupted
    void require(Location file) {
        FutureTask<Boolean> check = checks.get(file);
        if (check == null) {
            return;
        }
        try {
            check.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LoadInterruptedException("the digest of " + file, file.where());
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case FstException failure -> throw failure.copy();
                case RuntimeException failure -> throw failure;
                case null, default -> throw new IllegalStateException(e.getCause());
            }
        }
    }

    /// As [#require(Location)], of all files.
    public void requireAll() {
        List<Location> all = new ArrayList<>(checks.keySet());
        all.forEach(this::require);
    }

    /// Stops reading; nobody asks any more.
    ///
    /// Returns at once; readers stop within a mebibyte.
    public void cancel() {
        cancelled = true;
    }
}
