package io.fastsafetensors.dist;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Completes a CycloneDX bill of materials, which names jars, with what else the archive holds: the native libraries inside
/// the jars, and the Java runtime with its own.
public final class BillOfMaterials {
    private static final String NATIVE = ".*\\.(so|dll|dylib)";
    private static final String RUNTIME = NATIVE + "|.*\\.jar|java|jexec|jspawnhelper";
    /// NVIDIA's static libraries are linked into these.
    private static final String WITH_CUDA = ".*(JCudaRuntime|JNvPTXCompiler).*";
    private static final String MIT = "MIT";
    private static final String MIT_AND_CUDA = "MIT AND LicenseRef-NVIDIA-CUDA-Toolkit-EULA";
    private static final String OPENJDK = "GPL-2.0-only WITH Classpath-exception-2.0";

    private BillOfMaterials() {
    }

    /// Reads a bill, and writes it completed.
    ///
    /// @param args the bill, the directory of jars, the Java runtime, the bill to write
    public static void main(String[] args) throws IOException {
        ObjectMapper mapper = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
        ObjectNode bill = (ObjectNode) mapper.readTree(Files.readString(Path.of(args[0])));
        ArrayNode components = (ArrayNode) bill.get("components");
        for (Path jar : files(Path.of(args[1]), ".*\\.jar")) {
            addNatives(component(components, jar), jar);
        }
        addRuntime(components, Path.of(args[2]));
        Files.writeString(Path.of(args[3]), mapper.writeValueAsString(bill) + "\n");
    }

    /// The component whose digest is that of a jar.
    private static ObjectNode component(ArrayNode components, Path jar) throws IOException {
        String digest = sha256(Files.readAllBytes(jar));
        for (int i = 0; i < components.size(); i++) {
            if (components.get(i).path("hashes").toString().contains(digest)) {
                return (ObjectNode) components.get(i);
            }
        }
        throw new IOException("the bill of materials has no component with the digest of " + jar);
    }

    private static void addNatives(ObjectNode component, Path jar) throws IOException {
        try (ZipFile zip = new ZipFile(jar.toFile())) {
            List<? extends ZipEntry> natives =
                    zip.stream().filter(entry -> entry.getName().matches(NATIVE)).toList();
            for (ZipEntry entry : natives) {
                try (InputStream bytes = zip.getInputStream(entry)) {
                    add(component.withArray("components"), "file", entry.getName(), sha256(bytes.readAllBytes()),
                            entry.getName().matches(WITH_CUDA) ? MIT_AND_CUDA : MIT);
                }
            }
        }
    }

    private static void addRuntime(ArrayNode components, Path runtime) throws IOException {
        String version = Files.readString(runtime.resolve("release")).lines()
                .filter(line -> line.startsWith("JAVA_RUNTIME_VERSION=") || line.startsWith("JAVA_VERSION="))
                .map(line -> line.replaceAll(".*=|\"", "")).findFirst().orElseThrow();
        ObjectNode java = add(components, "platform", "OpenJDK runtime",
                sha256(Files.readAllBytes(runtime.resolve("lib/modules"))), OPENJDK);
        java.put("version", version);
        java.put("description", "made by jlink; the digest is that of lib/modules");
        for (Path library : files(runtime, RUNTIME)) {
            add(java.withArray("components"), "file", runtime.relativize(library).toString(),
                    sha256(Files.readAllBytes(library)), OPENJDK);
        }
    }

    private static ObjectNode add(ArrayNode components, String type, String name, String sha256, String license) {
        ObjectNode added = components.addObject().put("type", type).put("name", name);
        added.putArray("hashes").addObject().put("alg", "SHA-256").put("content", sha256);
        added.putArray("licenses").addObject().put("expression", license);
        return added;
    }

    private static List<Path> files(Path directory, String name) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            return files.filter(file -> file.getFileName().toString().matches(name)).sorted().toList();
        }
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java runtime has SHA-256", e);
        }
    }
}
