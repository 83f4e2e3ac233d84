package io.fastsafetensors.storage.http.s3;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.storage.http.web.WebOrigin;
import io.fastsafetensors.storage.http.wire.Address;
import io.fastsafetensors.storage.http.wire.HttpClient;
import io.fastsafetensors.storage.http.wire.JsonDocument;
import io.fastsafetensors.types.Percent;
import io.fastsafetensors.storage.http.wire.HttpSettings;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Finds credentials as AWS's tools do: properties, environment, web identity, profile, container; where none has any,
/// requests are not signed. Temporary ones are replaced some minutes before they end. Thread-safe.
final class CredentialChain {
    private static final Duration EARLY = Duration.ofMinutes(5);
    private static final int MOST = 1 << 16;
    private static final String CONTAINER = "http://169.254.170.2";
    /// Where credentials may be asked for without TLS: this machine and the agents of ECS and EKS.
    private static final Set<String> TRUSTED =
            Set.of("localhost", "127.0.0.1", "::1", "169.254.170.2", "169.254.170.23",
                    "fd00:ec2::23");

    private final HttpSettings settings;
    private final HttpClient client;
    private final Profile profile;
    private final String region;
    private boolean looked;
    private @Nullable Credentials current;

    CredentialChain(HttpSettings settings, HttpClient client, Profile profile, String region) {
        this.settings = settings;
        this.client = client;
        this.profile = profile;
        this.region = region;
    }

    /// The credentials of now; empty if there are none.
    ///
    /// @throws StorageException if those that are named cannot be had
    synchronized Optional<Credentials> get() {
        Credentials have = current;
        boolean ending =
                have != null && have.expiration().filter(end -> Instant.now().plus(EARLY).isAfter(end)).isPresent();
        if (!looked || ending) {
            try {
                current = find().orElse(null);
                looked = true;
            } catch (StorageException e) {
                if (have == null || have.expiration().filter(end -> Instant.now().isBefore(end)).isEmpty()) {
                    throw e;
                }
                // They are good for some minutes yet; the next request asks again.
            }
        }
        return Optional.ofNullable(current);
    }

    /// Forgets credentials that a service refused, so that the next request looks for others.
    synchronized void forget(Credentials refused) {
        if (refused.equals(current)) {
            looked = false;
        }
    }

    private Optional<Credentials> find() {
        if (settings.flag("s3.anonymous")) {
            return Optional.empty();
        }
        Optional<String> id = settings.text("s3.accessKeyId");
        if (id.isPresent()) {
            return Optional.of(Credentials.lasting(id.get(), settings.text("s3.secretAccessKey")
                    .orElseThrow(() -> HttpSettings.bad("s3.secretAccessKey", "set, because s3.accessKeyId is")),
                    settings.text("s3.sessionToken")));
        }
        Optional<String> key = settings.variable("AWS_ACCESS_KEY_ID");
        Optional<String> secret = settings.variable("AWS_SECRET_ACCESS_KEY");
        if (key.isPresent() && secret.isPresent() && settings.text("s3.profile").isEmpty()) {
            return Optional.of(Credentials.lasting(key.get(), secret.get(), settings.variable("AWS_SESSION_TOKEN")));
        }
        Optional<String> token = settings.variable("AWS_WEB_IDENTITY_TOKEN_FILE");
        Optional<String> role = settings.variable("AWS_ROLE_ARN");
        if (token.isPresent() && role.isPresent()) {
            return Optional.of(assume(Path.of(token.get()), role.get(), settings.variable("AWS_ROLE_SESSION_NAME")));
        }
        return ofProfile().or(this::ofContainer);
    }

    private Optional<Credentials> ofProfile() {
        Optional<String> key = profile.value("aws_access_key_id");
        Optional<String> secret = profile.value("aws_secret_access_key");
        if (key.isPresent() && secret.isPresent()) {
            return Optional.of(Credentials.lasting(key.get(), secret.get(), profile.value("aws_session_token")));
        }
        Optional<String> token = profile.value("web_identity_token_file");
        Optional<String> role = profile.value("role_arn");
        if (token.isPresent() && role.isPresent()) {
            return Optional.of(assume(Path.of(token.get()), role.get(), profile.value("role_session_name")));
        }
        profile.unsupported().ifPresent(way -> {
            throw new StorageException(profile + " has " + way + ", which this storage cannot use; run "
                    + "aws configure export-credentials --format env and set what it prints", Where.nowhere());
        });
        return Optional.empty();
    }

    private Credentials assume(Path tokenFile, String role, Optional<String> session) {
        String endpoint = settings.text("s3.stsEndpoint", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL")
                .orElse("https://sts." + region + "." + S3Storage.domain(region));
        String form = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" + Percent.encode(role, "")
                + "&RoleSessionName=" + Percent.encode(session.orElse("fst"), "") + "&WebIdentityToken="
                + Percent.encode(secretOf(tokenFile), "");
        byte[] answer = client.post(origin(endpoint, Optional.empty()), form, MOST).body();
        try {
            Xml found = Xml.parse(answer).child("AssumeRoleWithWebIdentityResult")
                    .flatMap(each -> each.child("Credentials"))
                    .orElseThrow(() -> new IllegalArgumentException("the answer has no credentials"));
            return credentials(found.text("AccessKeyId"), found.text("SecretAccessKey"), found.text("SessionToken"),
                    found.text("Expiration"));
        } catch (IllegalArgumentException | DateTimeException e) {
            throw unusable("the token service", e);
        }
    }

    private Optional<Credentials> ofContainer() {
        Optional<String> full = settings.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        Optional<String> url = settings.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").map(path -> CONTAINER + path)
                .or(() -> full);
        if (url.isEmpty()) {
            return Optional.empty();
        }
        Optional<String> authorization = settings.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
                .map(file -> secretOf(Path.of(file)))
                .or(() -> settings.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
        WebOrigin origin = origin(url.get(), authorization);
        if (!origin.address().tls() && !TRUSTED.contains(origin.address().host())) {
            throw new StorageException("AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor on this machine; "
                    + "credentials are not asked for there", origin.location().where());
        }
        HttpClient.Document document = client.fetch(origin, MOST).orElseThrow(
                () -> new StorageException("the container's credentials are not there (404)",
                        origin.location().where()));
        try {
            Object json = JsonDocument.parse(document.body());
            return Optional
                    .of(credentials(JsonDocument.text(json, "AccessKeyId"), JsonDocument.text(json, "SecretAccessKey"),
                            JsonDocument.text(json, "Token"), JsonDocument.text(json, "Expiration")));
        } catch (IllegalArgumentException | DateTimeException e) {
            throw unusable("the container's agent", e);
        }
    }

    private static Credentials credentials(Optional<String> key, Optional<String> secret, Optional<String> token,
            Optional<String> expiration) {
        if (key.isEmpty() || secret.isEmpty()) {
            throw new IllegalArgumentException("the answer has no keys");
        }
        return new Credentials(key.get(), secret.get(), token, expiration.map(Instant::parse));
    }

    private static StorageException unusable(String who, RuntimeException e) {
        return new StorageException("the credentials of " + who + " cannot be read: "
                + (e instanceof DateTimeException ? "the time of expiration is none" : e.getMessage()),
                Where.nowhere());
    }

    private static WebOrigin origin(String url, Optional<String> authorization) {
        try {
            Address address = Address.of(url);
            return new WebOrigin(Location.of(address.server()), address, authorization,
                    "check the role, its token and who may assume it");
        } catch (IllegalArgumentException e) {
            throw new StorageException("the address where credentials are asked for is unusable: " + e.getMessage(),
                    Where.nowhere());
        }
    }

    private static String secretOf(Path file) {
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            throw new StorageException("cannot read the token (" + e.getClass().getSimpleName() + ")",
                    Where.file(file));
        }
    }

    /// Where it looked, for people.
    String places() {
        return "properties s3.accessKeyId and s3.secretAccessKey, variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                + "AWS_WEB_IDENTITY_TOKEN_FILE, " + profile + ", AWS_CONTAINER_CREDENTIALS_*";
    }
}
