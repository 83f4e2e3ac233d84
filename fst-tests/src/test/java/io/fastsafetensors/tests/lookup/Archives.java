package io.fastsafetensors.tests.lookup;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;

/// Packs the class path of this virtual machine as build tools do.
final class Archives {
    private static final String SERVICES = "META-INF/services/";

    private Archives() {
    }

    /// A file in a directory or jar of the class path.
    private record Content(String name, byte[] bytes) {
    }

    /// The entries of the class path that hold fst and what it needs at run time.
    static List<Path> classPath() {
        return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator)).map(Path::of)
                .filter(Files::exists).filter(path -> !path.toString().contains("spring-boot")).toList();
    }

    private static List<Content> contents(Path entry) throws IOException {
        List<Content> contents = new ArrayList<>();
        if (Files.isDirectory(entry)) {
            try (Stream<Path> files = Files.walk(entry)) {
                for (Path file : files.filter(Files::isRegularFile).toList()) {
                    contents.add(new Content(entry.relativize(file).toString(), Files.readAllBytes(file)));
                }
            }
        } else {
            try (JarFile jar = new JarFile(entry.toFile())) {
                for (JarEntry each : Collections.list(jar.entries())) {
                    if (!each.isDirectory()) {
                        contents.add(new Content(each.getName(), jar.getInputStream(each).readAllBytes()));
                    }
                }
            }
        }
        return contents;
    }

    private static Manifest manifest(String mainClass) {
        Manifest manifest = new Manifest();
        Attributes attributes = manifest.getMainAttributes();
        attributes.put(Attributes.Name.MANIFEST_VERSION, "1.0");
        attributes.put(Attributes.Name.MAIN_CLASS, mainClass);
        attributes.putValue("Enable-Native-Access", "ALL-UNNAMED");
        return manifest;
    }

    private static void put(JarOutputStream jar, String name, byte[] bytes, boolean stored) throws IOException {
        JarEntry entry = new JarEntry(name);
        if (stored) {
            CRC32 crc = new CRC32();
            crc.update(bytes);
            entry.setMethod(ZipEntry.STORED);
            entry.setSize(bytes.length);
            entry.setCompressedSize(bytes.length);
            entry.setCrc(crc.getValue());
        }
        jar.putNextEntry(entry);
        jar.write(bytes);
        jar.closeEntry();
    }

    /// A Spring Boot archive: Spring Boot's own launcher, and each entry of the class path as a jar in the jar.
    static Path springBoot(Path target, Class<?> start) throws IOException {
        Manifest manifest = manifest("org.springframework.boot.loader.launch.JarLauncher");
        manifest.getMainAttributes().putValue("Start-Class", start.getName());
        manifest.getMainAttributes().putValue("Spring-Boot-Classes", "BOOT-INF/classes/");
        manifest.getMainAttributes().putValue("Spring-Boot-Lib", "BOOT-INF/lib/");
        Path loader = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator)).map(Path::of)
                .filter(path -> path.getFileName().toString().startsWith("spring-boot-loader")).findFirst()
                .orElseThrow();
        try (JarOutputStream jar = new JarOutputStream(Files.newOutputStream(target), manifest)) {
            for (Content each : contents(loader)) {
                if (each.name().endsWith(".class") && !each.name().equals("module-info.class")) {
                    put(jar, each.name(), each.bytes(), false);
                }
            }
            put(jar, "BOOT-INF/classes/application.properties", new byte[0], false);
            int number = 0;
            for (Path entry : classPath()) {
                put(jar, "BOOT-INF/lib/" + number++ + ".jar", asJar(entry), true);
            }
        }
        return target;
    }

    private static byte[] asJar(Path entry) throws IOException {
        if (!Files.isDirectory(entry)) {
            return Files.readAllBytes(entry);
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JarOutputStream jar = new JarOutputStream(bytes)) {
            for (Content each : contents(entry)) {
                put(jar, each.name(), each.bytes(), false);
            }
        }
        return bytes.toByteArray();
    }

    /// All classes in one jar.
    ///
    /// @param merged whether services files of one name are joined; else the first one stays
    static Path shaded(Path target, Class<?> start, boolean merged) throws IOException {
        Set<String> names = new HashSet<>();
        Map<String, byte[]> services = new TreeMap<>();
        try (OutputStream out = Files.newOutputStream(target);
                JarOutputStream jar = new JarOutputStream(out, manifest(start.getName()))) {
            for (Path entry : classPath()) {
                for (Content each : contents(entry)) {
                    if (each.name().startsWith(SERVICES)) {
                        services.merge(each.name(), each.bytes(), (one, two) -> merged ? joined(one, two) : one);
                    } else
                        if (!each.name().equals("META-INF/MANIFEST.MF") && !each.name().endsWith("module-info.class")
                                && names.add(each.name())) {
                                    put(jar, each.name(), each.bytes(), false);
                                }
                }
            }
            services.forEach((name, bytes) -> {
                try {
                    put(jar, name, bytes, false);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
        return target;
    }

    private static byte[] joined(byte[] one, byte[] two) {
        byte[] joined = Arrays.copyOf(one, one.length + 1 + two.length);
        joined[one.length] = '\n';
        System.arraycopy(two, 0, joined, one.length + 1, two.length);
        return joined;
    }
}
