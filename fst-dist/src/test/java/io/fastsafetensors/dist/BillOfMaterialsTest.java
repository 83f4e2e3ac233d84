package io.fastsafetensors.dist;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.test.ChildProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/// The bill of materials in the archive lists exactly what the archive holds, with digest and license.
class BillOfMaterialsTest {
    @TempDir
    private Path directory;
    private Path root;
    private final Map<String, JsonNode> byDigest = new HashMap<>();

    @BeforeEach
    void read() throws IOException {
        String version = System.getProperty("fst.version");
        ChildProcess
                .of("tar", "xzf", Path.of(System.getProperty("fst.dist"), "fst-" + version + "-linux-x86_64.tar.gz"),
                        "-C", directory)
                .run().succeeded();
        root = directory.resolve("fst-" + version);
        collect(new ObjectMapper().readTree(Files.readString(root.resolve("share/doc/fst/fst.cdx.json")))
                .get("components"));
    }

    private void collect(JsonNode components) {
        for (JsonNode component : components) {
            assertFalse(component.path("licenses").isEmpty(), component::toString);
            String digest = "";
            for (JsonNode hash : component.path("hashes")) {
                digest = hash.get("alg").asString().equals("SHA-256") ? hash.get("content").asString() : digest;
            }
            assertFalse(digest.isEmpty(), component::toString);
            byDigest.put(digest, component);
            collect(component.path("components"));
        }
    }

    private static String sha256(byte[] bytes) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    private static List<Path> files(Path directory, String name) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            return files.filter(file -> file.getFileName().toString().matches(name)).toList();
        }
    }

    /// The native libraries inside the jars: names and digests.
    private Map<String, String> nativesInJars() throws Exception {
        Map<String, String> natives = new HashMap<>();
        for (Path jar : files(root.resolve("lib/fst/lib"), ".*\\.jar")) {
            try (ZipFile zip = new ZipFile(jar.toFile())) {
                for (ZipEntry entry : zip.stream().filter(each -> each.getName().matches(".*\\.(so|dll|dylib)"))
                        .toList()) {
                    natives.put(entry.getName(), sha256(zip.getInputStream(entry).readAllBytes()));
                }
            }
        }
        return natives;
    }

    @Test
    void every_jar_and_every_native_library_is_listed_with_its_digest_and_license() throws Exception {
        Path home = root.resolve("lib/fst");
        for (Path file : files(home, ".*\\.(jar|so)|modules|java|jexec|jspawnhelper")) {
            assertTrue(byDigest.containsKey(sha256(Files.readAllBytes(file))), file.toString());
        }
        Map<String, String> natives = nativesInJars();
        assertFalse(natives.isEmpty());
        natives.forEach((name, digest) -> assertEquals(name, byDigest.get(digest).get("name").asString()));
    }

    @Test
    void no_tool_of_the_build_or_the_tests_is_listed() {
        for (JsonNode component : byDigest.values()) {
            assertFalse(component.toString().matches("(?i).*(junit|archunit|jspecify|picocli-codegen).*"),
                    component::toString);
        }
    }

    @Test
    void the_document_names_every_native_library_of_a_jar() throws Exception {
        String document = Files.readString(root.resolve("share/doc/fst/third-party.md"));
        Map<String, String> natives = nativesInJars();
        natives.forEach((name, digest) -> {
            String license = byDigest.get(digest).get("licenses").get(0).get("expression").asString();
            String row = "| `" + name + "` | " + license + " | `" + digest + "` |";
            assertTrue(document.contains(row), "docs/third-party.md lacks " + row);
        });
        assertEquals(natives.size(), document.lines().filter(line -> line.matches(".*`[0-9a-f]{64}` \\|")).count());
    }
}
