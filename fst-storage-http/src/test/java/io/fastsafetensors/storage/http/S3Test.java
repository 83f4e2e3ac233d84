package io.fastsafetensors.storage.http;

import static io.fastsafetensors.storage.http.Remote.assertContent;
import static io.fastsafetensors.storage.http.Remote.assertSays;
import static io.fastsafetensors.storage.http.Remote.bytes;
import static io.fastsafetensors.storage.http.Remote.failure;
import static io.fastsafetensors.storage.http.Remote.quick;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.storage.http.RangeServer.Answer;
import io.fastsafetensors.storage.http.RangeServer.Request;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Credentials and their lifetimes, the addresses of buckets, and the messages of refusals.
class S3Test {
    private static final Location FILE = Location.of("s3://bucket/model.safetensors");

    @TempDir
    Path home;

    private final RangeServer server = new RangeServer();
    private final byte[] content = bytes(50_000);
    private final Map<String, String> environment = new HashMap<>();

    S3Test() {
        server.put("/bucket/model.safetensors", content);
        environment.put("AWS_ENDPOINT_URL", server.address());
    }

    @AfterEach
    void close() {
        server.close();
    }

    private Storage open(String... properties) {
        environment.putIfAbsent("HOME", home.toString());
        return new S3StorageProvider(environment::get).open(StorageOptions.of(quick(properties)));
    }

    /// Reads the file, and returns the last request for it.
    private Request read(String... properties) {
        try (Storage storage = open(properties); StorageFile file = storage.open(FILE)) {
            assertContent(content, file);
        }
        return server.requests.stream().filter(r -> r.path().endsWith("model.safetensors")).toList().getLast();
    }

    private static void assertSigned(Request request, String key) {
        String authorization = request.header("authorization");
        assertSays(authorization, "Credential=" + key + "/", "/s3/aws4_request", "SignedHeaders=host;");
    }

    private void write(String name, String text) throws IOException {
        Files.createDirectories(home.resolve(".aws"));
        Files.writeString(home.resolve(".aws").resolve(name), text);
    }

    @Test
    void without_credentials_requests_are_not_signed() {
        assertEquals("", read().header("authorization"));
        server.behaviour = _ -> S3Server.error(403, "AccessDenied");
        try (Storage storage = open()) {
            assertSays(failure(() -> storage.open(FILE)), "403 AccessDenied", "not signed", "AWS_ACCESS_KEY_ID",
                    "model.safetensors");
        }
    }

    @Test
    void properties_come_before_the_environment_and_that_before_profiles() throws Exception {
        write("credentials", "[default]\naws_access_key_id = KPROFILE\naws_secret_access_key=s\n"
                + "[other]\naws_access_key_id=KOTHER\naws_secret_access_key=s\naws_session_token=tok\n");
        write("config", "[default]\nregion=eu-west-1\n[profile other]\nregion = ap-south-1\n");
        Request request = read();
        assertSigned(request, "KPROFILE");
        assertSays(request.header("authorization"), "/eu-west-1/s3/");
        environment.put("AWS_PROFILE", "other");
        request = read();
        assertSigned(request, "KOTHER");
        assertSays(request.header("authorization"), "/ap-south-1/s3/", "x-amz-security-token");
        assertEquals("tok", request.header("x-amz-security-token"));
        environment
                .putAll(Map.of("AWS_ACCESS_KEY_ID", "KENV", "AWS_SECRET_ACCESS_KEY", "s", "AWS_REGION", "eu-north-1"));
        request = read();
        assertSigned(request, "KENV");
        assertSays(request.header("authorization"), "/eu-north-1/s3/");
        assertSigned(read("s3.accessKeyId", "KPROP", "s3.secretAccessKey", "s"), "KPROP");
        assertEquals("", read("s3.anonymous", "true").header("authorization"));
        environment.put("AWS_PROFILE", "absent");
        assertSays(failure(this::open), "no profile absent", "AWS_PROFILE");
    }

    @Test
    void profiles_that_need_more_than_this_say_so() throws Exception {
        write("config", "[default]\nsso_session = s\n");
        try (Storage storage = open()) {
            assertSays(failure(() -> storage.open(FILE)), "sso_session", "export-credentials");
        }
    }

    @Test
    void web_identity_is_exchanged_and_renewed_before_it_ends() throws Exception {
        AtomicInteger asked = new AtomicInteger();
        Path token = home.resolve("token");
        Files.writeString(token, "web+token\n");
        environment.putAll(
                Map.of("AWS_WEB_IDENTITY_TOKEN_FILE", token.toString(), "AWS_ROLE_ARN", "arn:aws:iam::1:role/r"));
        server.behaviour = request -> {
            if (!request.method().equals("POST")) {
                return null;
            }
            String form = new String(request.body());
            boolean right =
                    form.contains("Action=AssumeRoleWithWebIdentity") && form.contains("WebIdentityToken=web%2Btoken")
                            && form.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr");
            // The first ones end in a minute, so that they are renewed at once.
            Instant end = Instant.now().plusSeconds(asked.incrementAndGet() == 1 ? 60 : 3600);
            return !right ? Answer.of(400) : Answer.of(200).body("<AssumeRoleWithWebIdentityResponse><"
                    + "AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>KWEB" + asked.get() + "</AccessKeyId>"
                    + "<SecretAccessKey>s</SecretAccessKey><SessionToken>t" + asked.get()
                    + "</SessionToken><Expiration>"
                    + end + "</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
                    + "</AssumeRoleWithWebIdentityResponse>");
        };
        Request request = read();
        assertSigned(request, "KWEB2");
        assertEquals("t2", request.header("x-amz-security-token"));
        assertEquals(2, asked.get());
    }

    @Test
    void the_containers_agent_is_asked_on_this_machine_only() {
        environment.putAll(Map.of("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.address() + "/creds?x=1",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN", "let-me-in"));
        server.behaviour = request -> !request.path().equals("/creds") ? null
                : !request.header("authorization").equals("let-me-in") ? Answer.of(401)
                        : Answer.of(200).body("{\"AccessKeyId\":\"KCON\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
                                + "\"Expiration\":\"2199-01-01T00:00:00Z\",\"x\":[1,{\"y\":null}]}");
        assertSigned(read(), "KCON");
        environment.put("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.org/creds");
        try (Storage storage = open()) {
            assertSays(failure(() -> storage.open(FILE)), "AWS_CONTAINER_CREDENTIALS_FULL_URI");
        }
    }

    @Test
    void credentials_that_expire_in_the_middle_of_a_load_are_replaced() {
        AtomicInteger asked = new AtomicInteger();
        environment.put("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.address() + "/creds");
        server.behaviour = request -> request.path().equals("/creds")
                ? Answer.of(200)
                        .body("{\"AccessKeyId\":\"K" + asked.incrementAndGet() + "\",\"SecretAccessKey\":\"s\"}")
                : request.header("authorization").contains("Credential=K" + Math.max(2, asked.get()) + "/")
                        || request.header("range").equals("bytes=0-0") ? null : S3Server.error(400, "ExpiredToken");
        assertSigned(read(), "K2");
        environment.clear();
        environment.putAll(
                Map.of("AWS_ENDPOINT_URL", server.address(), "AWS_ACCESS_KEY_ID", "K", "AWS_SECRET_ACCESS_KEY", "s"));
        server.behaviour = _ -> S3Server.error(400, "ExpiredToken");
        try (Storage storage = open()) {
            String message = failure(() -> storage.open(FILE));
            assertSays(message, "ExpiredToken", "sign in again");
            assertFalse(message.contains("AKIASECRET"));
        }
    }

    @Test
    void a_wrong_clock_is_told() {
        server.behaviour = _ -> S3Server.error(403, "RequestTimeTooSkewed");
        try (Storage storage = open()) {
            assertSays(failure(() -> storage.open(FILE)), "clock", "set it");
        }
    }

    @Test
    void busy_services_are_asked_again() {
        AtomicInteger left = new AtomicInteger(2);
        server.behaviour = _ -> left.getAndDecrement() > 0 ? S3Server.error(503, "SlowDown") : null;
        read();
        left.set(2);
        server.behaviour = _ -> left.getAndDecrement() > 0 ? S3Server.error(400, "RequestTimeout") : null;
        read();
    }

    @Test
    void a_bucket_that_is_elsewhere_is_told() {
        server.behaviour = _ -> S3Server.error(301, "PermanentRedirect").with("x-amz-bucket-region", "eu-west-3");
        try (Storage storage = open()) {
            assertSays(failure(() -> storage.open(FILE)), "eu-west-3", "s3.region");
        }
    }

    @Test
    void virtual_hosts_are_used_on_demand() {
        environment.put("http_proxy", server.address());
        environment.put("AWS_ENDPOINT_URL", "http://s3.invalid");
        server.behaviour = request -> server.usual(new Request(request.method(),
                request.target().replace("http://bucket.s3.invalid/", "/bucket/"), request.headers(), request.body()));
        assertEquals("bucket.s3.invalid", read("s3.pathStyle", "false").header("host"));
    }

    @Test
    void a_list_that_is_cut_off_is_not_taken_for_the_whole() {
        String page = "<ListBucketResult><IsTruncated>true</IsTruncated>%s<Contents><Key>a</Key></Contents>"
                + "</ListBucketResult>";
        for (String token : List.of("", "<NextContinuationToken></NextContinuationToken>")) {
            server.behaviour = _ -> Answer.of(200).body(String.format(page, token));
            try (Storage storage = open()) {
                assertSays(failure(() -> storage.list(Location.of("s3://bucket"))), "s3://bucket", "cut off");
            }
        }
        server.behaviour = _ -> Answer.of(200)
                .body(String.format(page, "<NextContinuationToken>t</NextContinuationToken>"));
        try (Storage storage = open()) {
            assertSays(failure(() -> storage.list(Location.of("s3://bucket"))), "again and again");
        }
    }

    @Test
    void lists_with_entities_are_not_expanded() {
        server.behaviour = _ -> Answer.of(200).body("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>"
                + "<ListBucketResult><Contents><Key>&e;</Key></Contents></ListBucketResult>");
        try (Storage storage = open()) {
            String message = failure(() -> storage.list(Location.of("s3://bucket")));
            assertSays(message, "cannot be read");
            assertFalse(message.contains("root:"));
        }
    }

    @Test
    void what_is_no_address_of_s3_is_told() {
        try (Storage storage = open()) {
            for (String wrong : List.of("s3:bucket/key", "s3:///key", "s3://bucket/", "s3://me:pass@bucket/key")) {
                String message = failure(() -> storage.open(Location.of(wrong)));
                assertFalse(message.contains("pass"));
            }
        }
        assertTrue(server.requests.isEmpty());
    }
}
