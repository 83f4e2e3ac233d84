package io.fastsafetensors.storage.http.s3;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.storage.http.wire.Address;
import io.fastsafetensors.storage.http.wire.Head;
import io.fastsafetensors.storage.http.wire.Headers;
import io.fastsafetensors.storage.http.wire.HttpClient;
import io.fastsafetensors.storage.http.wire.Origin;
import io.fastsafetensors.types.Percent;
import io.fastsafetensors.storage.http.wire.RemoteFile;
import io.fastsafetensors.storage.http.wire.HttpSettings;
import io.fastsafetensors.types.Location;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// Reads objects of S3, and lists prefixes as directories. Locations are `s3://bucket/key`.
public final class S3Storage implements Storage {
    private static final int PARALLEL_READS = 64;
    private static final int MOST_OF_A_LIST = 16 << 20;
    private static final String BUCKET = "[A-Za-z0-9][A-Za-z0-9._-]{1,254}";

    private final HttpClient client;
    private final Optional<Address> endpoint;
    private final Optional<Boolean> pathStyle;
    private final String region;
    private final CredentialChain credentials;
    /// Regions of buckets that told so when they were asked in another one.
    private final Map<String, String> regions = new ConcurrentHashMap<>();

    /// @throws StorageException if a setting is of no use
    public S3Storage(HttpSettings settings) {
        Profile profile = Profile.chosen(settings);
        this.client = new HttpClient(settings);
        this.region = settings.text("s3.region", "AWS_REGION", "AWS_DEFAULT_REGION").or(() -> profile.value("region"))
                .orElse("us-east-1");
        if (!region.matches("[a-z0-9-]{1,64}")) {
            throw HttpSettings.bad("s3.region", "the name of a region, such as eu-central-1");
        }
        Optional<String> url = settings.text("s3.endpoint", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
                .or(() -> profile.value("endpoint_url"));
        try {
            this.endpoint = url.map(Address::of);
        } catch (IllegalArgumentException _) {
            throw HttpSettings.bad("s3.endpoint", "an address such as https://host:9000");
        }
        this.pathStyle = settings.text("s3.pathStyle").map(_ -> settings.flag("s3.pathStyle"));
        this.credentials = new CredentialChain(settings, client, profile, region);
    }

    static String domain(String region) {
        return region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
    }

    @Override
    public Kind kind(Location location) {
        Place place = place(location);
        if (!place.key.isEmpty() && !place.key.endsWith("/") && RemoteFile.exists(client, object(place))) {
            return Kind.FILE;
        }
        return page(place, Optional.empty(), 1).filter(S3Storage::hasEntries).isPresent() ? Kind.DIRECTORY
                : Kind.ABSENT;
    }

    private static boolean hasEntries(Xml page) {
        return page.child("Contents").isPresent() || page.child("CommonPrefixes").isPresent();
    }

    @Override
    public StorageFile open(Location file) {
        Place place = place(file);
        if (place.key.isEmpty() || place.key.endsWith("/")) {
            throw new StorageException("this names a directory, not an object", file.where());
        }
        return RemoteFile.open(client, object(place), "s3", PARALLEL_READS);
    }

    @Override
    public List<StorageEntry> list(Location directory) {
        Place place = place(directory);
        String prefix = place.prefix();
        Set<String> tokens = new HashSet<>();
        List<StorageEntry> entries = new ArrayList<>();
        Optional<String> token = Optional.empty();
        boolean there = prefix.isEmpty();
        do {
            Xml page = page(place, token, 0).orElseThrow(
                    () -> new StorageException("there is no such bucket; check the address", directory.where()));
            there |= hasEntries(page);
            boolean encoded = page.text("EncodingType").filter("url"::equals).isPresent();
            for (Xml each : page.all("CommonPrefixes")) {
                add(entries, directory, Kind.DIRECTORY, prefix, each.text("Prefix"), encoded);
            }
            for (Xml each : page.all("Contents")) {
                add(entries, directory, Kind.FILE, prefix, each.text("Key"), encoded);
            }
            boolean goesOn = page.text("IsTruncated").filter("true"::equals).isPresent();
            token = page.text("NextContinuationToken").filter(text -> goesOn && !text.isEmpty());
            if (goesOn && token.isEmpty()) {
                throw new StorageException("the service's list is cut off: it says that there is more, and gives no "
                        + "token to ask for it; name the checkpoint's files one by one", directory.where());
            }
            if (token.isPresent() && !tokens.add(token.get())) {
                throw new StorageException("the service lists the same page again and again", directory.where());
            }
        } while (token.isPresent());
        if (!there) {
            throw new StorageException("there is no such directory: no object has this prefix; check the address",
                    directory.where());
        }
        return entries;
    }

    private static void add(List<StorageEntry> entries, Location directory, Kind kind, String prefix,
            Optional<String> text,
            boolean encoded) {
        String key = text.map(each -> encoded ? URLDecoder.decode(each, StandardCharsets.UTF_8) : each).orElse("");
        if (!key.startsWith(prefix)) {
            throw new StorageException("the service lists what was not asked for", directory.where());
        }
        String rest = key.substring(prefix.length());
        String name = rest.endsWith("/") ? rest.substring(0, rest.length() - 1) : rest;
        // An object whose key is the prefix itself marks an empty directory.
        if (!name.isEmpty()) {
            entries.add(StorageEntry.of(directory.resolve(name), rest.endsWith("/") ? Kind.DIRECTORY : kind));
        }
    }

    /// One page of a listing; empty if there is no such bucket.
    private Optional<Xml> page(Place place, Optional<String> token, int most) {
        StringBuilder query = new StringBuilder("?");
        token.ifPresent(text -> query.append("continuation-token=").append(Percent.encode(text, "")).append('&'));
        query.append("delimiter=%2F&encoding-type=url&list-type=2");
        if (most > 0) {
            query.append("&max-keys=").append(most);
        }
        query.append("&prefix=").append(Percent.encode(place.prefix(), ""));
        S3Origin origin = new S3Origin(place, "", query.toString());
        return client.fetch(origin, MOST_OF_A_LIST).map(document -> {
            try {
                Xml page = Xml.parse(document.body());
                if (!page.name().equals("ListBucketResult")) {
                    throw new IllegalArgumentException("the answer is no list");
                }
                return page;
            } catch (IllegalArgumentException e) {
                throw new StorageException("the service's list cannot be read: " + e.getMessage()
                        + "; check that the endpoint is one of S3", place.location.where());
            }
        });
    }

    private Origin object(Place place) {
        return new S3Origin(place, place.key, "");
    }

    /// The bucket and key of a location.
    ///
    /// @param key without encoding
    private record Place(Location location, String bucket, String key) {
        /// With which the keys of a directory begin.
        String prefix() {
            return key.isEmpty() || key.endsWith("/") ? key : key + "/";
        }
    }

    private static Place place(Location location) {
        String address = location.address();
        int query = address.indexOf('?');
        String text = query < 0 ? address : address.substring(0, query);
        if (!text.startsWith("s3://")) {
            throw new StorageException("an address of S3 has the form s3://bucket/key", location.where());
        }
        String rest = text.substring("s3://".length());
        int slash = rest.indexOf('/');
        String bucket = slash < 0 ? rest : rest.substring(0, slash);
        if (bucket.indexOf('@') >= 0) {
            throw new StorageException(
                    "credentials do not belong into an address of S3; see docs/remote.md for where they do",
                    location.where());
        }
        if (!bucket.matches(BUCKET)) {
            throw new StorageException(
                    "an address of S3 has the form s3://bucket/key, with a bucket of letters, digits, "
                            + "dots and hyphens",
                    location.where());
        }
        return new Place(location, bucket, slash < 0 ? "" : Percent.decodeText(rest.substring(slash + 1)));
    }

    /// An object, or the list of a bucket.
    private final class S3Origin implements Origin {
        private final Place place;
        private final String key;
        private final String query;
        private volatile @Nullable Credentials used;

        S3Origin(Place place, String key, String query) {
            this.place = place;
            this.key = key;
            this.query = query;
        }

        @Override
        public Location location() {
            return place.location;
        }

        private String region() {
            return regions.getOrDefault(place.bucket, region);
        }

        @Override
        public Address address() {
            String path = "/" + Percent.encode(key, "/") + query;
            boolean inPath = pathStyle.orElse(endpoint.isPresent() || place.bucket.indexOf('.') >= 0
                    || !place.bucket.equals(place.bucket.toLowerCase(Locale.ROOT)));
            Address service = endpoint
                    .orElseGet(() -> Address.of("https://s3." + region() + "." + domain(region())));
            String base = service.target().endsWith("/")
                    ? service.target().substring(0, service.target().length() - 1)
                    : service.target();
            return inPath ? new Address(service.tls(), service.host(), service.port(), base + "/" + place.bucket + path)
                    : new Address(service.tls(), place.bucket + "." + service.host(), service.port(), base + path);
        }

        @Override
        public void authorize(String method, Address address, Headers headers) {
            Optional<Credentials> now = credentials.get();
            used = now.orElse(null);
            now.ifPresent(each -> new Signer(region(), "s3").sign(method, address.target(), headers, Signer.EMPTY, each,
                    Instant.now()));
        }

        @Override
        public boolean followsRedirects() {
            return false;
        }

        @Override
        public boolean renew(Address tried, Head head, Optional<String> code) {
            Optional<String> told = head.header("x-amz-bucket-region")
                    .filter(name -> name.matches("[a-z0-9-]{1,64}") && !name.equals(region()));
            if (told.isPresent() && endpoint.isEmpty()) {
                regions.put(place.bucket, told.get());
                return true;
            }
            Credentials refused = used;
            boolean expired = code.filter(text -> text.matches("ExpiredToken|TokenRefreshRequired|InvalidToken|"
                    + "InvalidAccessKeyId")).isPresent();
            if (!expired || refused == null) {
                return false;
            }
            credentials.forget(refused);
            return true;
        }

        @Override
        public String remedy(Head head, Optional<String> code) {
            Credentials refused = used;
            if (head.status() / 100 == 3 || code.equals(Optional.of("AuthorizationHeaderMalformed"))) {
                return "the bucket is elsewhere"
                        + head.header("x-amz-bucket-region").map(name -> ", in region " + name).orElse("")
                        + "; set s3.region (now " + region() + ") or s3.endpoint";
            }
            if (code.equals(Optional.of("ExpiredToken"))) {
                return "the session has ended; sign in again";
            }
            if (head.status() == 401 || head.status() == 403 || head.status() == 400) {
                return refused == null
                        ? "the request was not signed, because no credentials were found in " + credentials.places()
                        : "check that the key is the right one, and that it may do s3:GetObject and s3:ListBucket here";
            }
            return Origin.super.remedy(head, code);
        }
    }

    @Override
    public void close() {
        client.close();
    }
}
