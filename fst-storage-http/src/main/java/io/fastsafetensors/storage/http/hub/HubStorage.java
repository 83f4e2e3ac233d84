package io.fastsafetensors.storage.http.hub;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.LocalCopies;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.storage.http.web.WebOrigin;
import io.fastsafetensors.storage.http.wire.Address;
import io.fastsafetensors.storage.http.wire.HttpClient;
import io.fastsafetensors.storage.http.wire.JsonDocument;
import io.fastsafetensors.types.Percent;
import io.fastsafetensors.storage.http.wire.RemoteFile;
import io.fastsafetensors.storage.http.wire.HttpSettings;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;

/// Reads model repositories of the Hugging Face hub. Locations are `hf:org/name@revision/file`. The commit that a revision
/// names is asked for once; files of that commit that the local cache has are read there, and whole ones are added to it.
public final class HubStorage implements Storage, LocalCopies {
    private static final System.Logger LOG = System.getLogger("io.fastsafetensors.storage.http");
    private static final int PARALLEL_READS = 32;
    private static final int MOST_OF_AN_ANSWER = 16 << 20;
    private static final Pattern NEXT = Pattern.compile("<([^>]+)>\\s*;\\s*rel=\"?next\"?");
    private static final String COMMIT = "[0-9a-f]{40}";
    private static final String SHA256 = "[0-9a-f]{64}";
    private static final String DIGEST = COMMIT + "|" + SHA256;

    private final HttpClient client;
    private final Address endpoint;
    private final Optional<String> authorization;
    private final boolean offline;
    private final HubSnapshots cache;
    private final Map<String, String> commits = new ConcurrentHashMap<>();
    private final Map<String, Map<String, Item>> trees = new ConcurrentHashMap<>();
    private final boolean checked;
    /// Copies whose content was compared with their digests.
    private final Set<Path> right = ConcurrentHashMap.newKeySet();

    /// A file or directory of a commit.
    ///
    /// @param blob the name of a file's content in the cache: its SHA-256 if it is large, else git's digest; empty if unknown
    private record Item(Kind kind, String blob) {
        static Item of(Object entry) {
            boolean directory = JsonDocument.text(entry, "type").filter("directory"::equals).isPresent();
            String blob = JsonDocument.member(entry, "lfs").flatMap(lfs -> JsonDocument.text(lfs, "oid"))
                    .or(() -> JsonDocument.text(entry, "oid")).filter(text -> text.matches(DIGEST)).orElse("");
            return new Item(directory ? Kind.DIRECTORY : Kind.FILE, blob);
        }
    }

    /// @throws StorageException if a setting is of no use
    public HubStorage(HttpSettings settings) {
        this.client = new HttpClient(settings);
        try {
            this.endpoint = Address.of(settings.text("hf.endpoint", "HF_ENDPOINT").orElse("https://huggingface.co"));
        } catch (IllegalArgumentException _) {
            throw HttpSettings.bad("hf.endpoint (or variable HF_ENDPOINT)",
                    "an address such as https://huggingface.co");
        }
        this.offline = settings.flag("hf.offline", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE");
        this.checked = settings.flag("hf.sha256");
        this.cache = new HubSnapshots(settings);
        this.authorization = settings.text("hf.token", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
                .or(() -> token(settings.variable("HF_TOKEN_PATH").map(Path::of)
                        .orElseGet(() -> cache.home().resolve("token"))))
                .map(token -> "Bearer " + token);
    }

    private static Optional<String> token(Path file) {
        try {
            return Files.isRegularFile(file)
                    ? Optional.of(Files.readString(file).strip()).filter(text -> !text.isEmpty())
                    : Optional.empty();
        } catch (IOException e) {
            throw new StorageException("cannot read the token (" + e.getClass().getSimpleName() + ")",
                    Where.file(file));
        }
    }

    @Override
    public Location pin(Location location) {
        HubPlace place = HubPlace.of(location);
        return place.isPinned() ? location : pinned(place).orElseThrow(() -> absent(place)).location();
    }

    /// The same place at the commit that its revision names, by the first answer; empty if there is none.
    private Optional<HubPlace> pinned(HubPlace place) {
        if (place.isPinned()) {
            return Optional.of(place);
        }
        String key = place.repository() + "@" + place.revision();
        String known = commits.get(key);
        Optional<String> commit = known != null ? Optional.of(known) : offline ? cache.commit(place) : ask(place);
        return commit.map(found -> {
            String first = commits.putIfAbsent(key, found);
            return place.at(first == null ? found : first);
        });
    }

    private Optional<String> ask(HubPlace place) {
        String target = "/api/models/" + place.repository() + "/revision/" + Percent.encode(place.revision(), "");
        return client.fetch(origin(place, target), MOST_OF_AN_ANSWER)
                .map(document -> JsonDocument.text(json(place, document), "sha").filter(text -> text.matches(COMMIT))
                        .orElseThrow(
                                () -> new StorageException("the hub does not tell the commit of this revision; check "
                                        + "HF_ENDPOINT", place.location().where())));
    }

    private static Object json(HubPlace place, HttpClient.Document document) {
        try {
            return JsonDocument.parse(document.body());
        } catch (IllegalArgumentException e) {
            throw new StorageException("the hub's answer cannot be read: " + e.getMessage() + "; check HF_ENDPOINT",
                    place.location().where());
        }
    }

    private WebOrigin origin(HubPlace place, String target) {
        return new WebOrigin(place.location(), under(target), authorization,
                "the repository does not exist, is private, or has terms to accept first; "
                        + (authorization.isPresent() ? "check that the token may read it"
                                : "log in (hf auth login) or set HF_TOKEN"));
    }

    private Address under(String target) {
        String base = endpoint.target().endsWith("/") ? endpoint.target().substring(0, endpoint.target().length() - 1)
                : endpoint.target();
        return new Address(endpoint.tls(), endpoint.host(), endpoint.port(), base + target);
    }

    private StorageException absent(HubPlace place) {
        return new StorageException(offline
                ? "not in the local cache " + cache
                        + ", and HF_HUB_OFFLINE is set; unset it, or download the file first"
                : "there is no such repository, revision or file on the hub; check the address",
                place.location().where());
    }

    /// Everything below a repository at a commit; empty if there is none.
    private Optional<Map<String, Item>> tree(HubPlace pinned) {
        String key = pinned.repository() + "@" + pinned.revision();
        Map<String, Item> known = trees.get(key);
        if (known != null) {
            return Optional.of(known);
        }
        Optional<Map<String, Item>> found =
                offline ? cache.root(pinned).map(root -> walk(pinned, root)) : askTree(pinned);
        found.ifPresent(tree -> trees.put(key, tree));
        return found;
    }

    private static Map<String, Item> walk(HubPlace place, Path root) {
        try (Stream<Path> all = Files.walk(root)) {
            Map<String, Item> tree = new TreeMap<>();
            all.filter(path -> !path.equals(root)).forEach(path -> tree.put(root.relativize(path).toString(),
                    new Item(Files.isDirectory(path) ? Kind.DIRECTORY : Kind.FILE, "")));
            return tree;
        } catch (IOException e) {
            throw new StorageException("cannot list the cache (" + e.getClass().getSimpleName() + ")",
                    place.location().where(), e);
        }
    }

    private Optional<Map<String, Item>> askTree(HubPlace place) {
        Map<String, Item> tree = new TreeMap<>();
        Set<String> asked = new HashSet<>();
        WebOrigin page =
                origin(place, "/api/models/" + place.repository() + "/tree/" + place.revision() + "?recursive=true");
        while (true) {
            Optional<HttpClient.Document> answer = client.fetch(page, MOST_OF_AN_ANSWER);
            if (answer.isEmpty()) {
                return Optional.empty();
            }
            if (!(json(place, answer.get()) instanceof List<?> entries)) {
                throw new StorageException("the hub's answer is no list of files; check HF_ENDPOINT",
                        place.location().where());
            }
            for (Object entry : entries) {
                JsonDocument.text(entry, "path").ifPresent(path -> tree.put(path, Item.of(entry)));
            }
            Matcher next = NEXT.matcher(answer.get().head().header("link").orElse(""));
            if (!next.find()) {
                return Optional.of(tree);
            }
            page = next(place, next.group(1), asked);
        }
    }

    private WebOrigin next(HubPlace place, String link, Set<String> asked) {
        try {
            Address next = endpoint.redirect(link);
            if (next.isSameServer(endpoint) && asked.add(next.target())) {
                return new WebOrigin(place.location(), next, authorization, "check the token");
            }
        } catch (IllegalArgumentException _) {
            // Told below, as every page that is none.
        }
        throw new StorageException("the hub's list of files goes on nowhere, or in a circle", place.location().where());
    }

    @Override
    public Kind kind(Location location) {
        Optional<HubPlace> place = pinned(HubPlace.of(location));
        return place.flatMap(pinned -> tree(pinned).map(tree -> pinned.path().isEmpty() ? Kind.DIRECTORY
                : kind(tree.get(pinned.path())))).orElse(Kind.ABSENT);
    }

    private static Kind kind(@Nullable Item item) {
        return item == null ? Kind.ABSENT : item.kind();
    }

    @Override
    public List<StorageEntry> list(Location directory) {
        HubPlace asked = HubPlace.of(directory);
        HubPlace place = pinned(asked).orElseThrow(() -> absent(asked));
        Map<String, Item> tree = tree(place).orElseThrow(() -> absent(asked));
        if (!place.path().isEmpty() && kind(tree.get(place.path())) != Kind.DIRECTORY) {
            throw absent(asked);
        }
        String prefix = place.path().isEmpty() ? "" : place.path() + "/";
        List<StorageEntry> entries = new ArrayList<>();
        tree.forEach((path, item) -> {
            if (path.startsWith(prefix) && path.indexOf('/', prefix.length()) < 0) {
                entries.add(StorageEntry.of(directory.resolve(path.substring(prefix.length())), item.kind()));
            }
        });
        return entries;
    }

    @Override
    public StorageFile open(Location file) {
        HubPlace asked = HubPlace.of(file);
        HubPlace place = pinned(asked).orElseThrow(() -> absent(asked));
        if (place.path().isEmpty()) {
            throw new StorageException("this names a repository, not a file", file.where());
        }
        Optional<Path> cached = cache.find(place).filter(Files::isRegularFile);
        if (cached.isPresent()) {
            return SnapshotFile.open(file, cached.get(), length -> identity(place, length));
        }
        if (offline) {
            throw absent(asked);
        }
        String target =
                "/" + place.repository() + "/resolve/" + place.revision() + "/" + Percent.encode(place.path(), "/");
        return RemoteFile.open(client, origin(asked, target), "hf", PARALLEL_READS, length -> identity(place, length));
    }

    @Override
    public Optional<LocalCopies> localCopies() {
        return Optional.of(this);
    }

    @Override
    public Path partsDirectory() {
        return cache.parts();
    }

    @Override
    public Optional<Path> find(Location file) {
        HubPlace asked = HubPlace.of(file);
        HubPlace place = pinned(asked).orElseThrow(() -> absent(asked));
        Optional<Path> copy = cache.find(place).filter(Files::isRegularFile);
        if (checked && copy.isPresent()) {
            try {
                Path content = copy.get().toRealPath();
                check(file, content, String.valueOf(content.getFileName()));
            } catch (IOException e) {
                throw new StorageException("cannot read the file of the cache (" + e.getClass().getSimpleName() + ")",
                        file.where(), e);
            }
        }
        return copy;
    }

    @Override
    public FileIdentity identity(Location file, long length) {
        HubPlace asked = HubPlace.of(file);
        return identity(pinned(asked).orElseThrow(() -> absent(asked)), length);
    }

    /// A commit's files never change, wherever their bytes come from.
    private static FileIdentity identity(HubPlace place, long length) {
        return FileIdentity.of("hf file", length, "commit " + place.revision());
    }

    @Override
    public void offer(Location file, Path copy) {
        HubPlace asked = HubPlace.of(file);
        HubPlace place = pinned(asked).orElseThrow(() -> absent(asked));
        String blob = tree(place).map(tree -> tree.get(place.path())).map(Item::blob).orElse("");
        if (blob.isEmpty()) {
            return;
        }
        if (checked) {
            check(file, copy, blob);
        }
        String prefix = place.repository() + "@";
        List<String> revisions = commits.entrySet().stream()
                .filter(each -> each.getKey().startsWith(prefix) && each.getValue().equals(place.revision()))
                .map(each -> each.getKey().substring(prefix.length())).toList();
        try {
            cache.add(place, blob, copy, revisions);
        } catch (IOException e) {
            LOG.log(Level.WARNING, () -> file + " is not added to the cache " + cache + " ("
                    + e.getClass().getSimpleName() + ": " + e.getMessage() + ")");
        }
    }

    /// Compares a content with the SHA-256 that its name is; small files are named otherwise, and not compared.
    private void check(Location file, Path content, String name) {
        if (!name.matches(SHA256) || right.contains(content)) {
            return;
        }
        String digest = sha256(file, content);
        if (!digest.equals(name)) {
            throw new StorageException("its SHA-256 is " + digest + ", and the hub says " + name
                    + "; delete it, if it is in the cache of the hub, and load it again [" + content + "]",
                    file.where());
        }
        right.add(content);
    }

    private static String sha256(Location file, Path content) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
        try (FileChannel channel = FileChannel.open(content)) {
            MessageDigest sha = MessageDigest.getInstance("SHA-256");
            while (channel.read(buffer) >= 0) {
                sha.update(buffer.flip());
                buffer.clear();
            }
            return HexFormat.of().formatHex(sha.digest());
        } catch (IOException e) {
            throw new StorageException("cannot digest the copy " + content + " (" + e.getClass().getSimpleName() + ")",
                    file.where(), e);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }

    @Override
    public void close() {
        client.close();
    }
}
