package io.fastsafetensors.architecture;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.methods;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.GeneralCodingRules.ACCESS_STANDARD_STREAMS;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethodCall;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.io.IOException;
import java.io.FileInputStream;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.InvocationInterceptor;

/// The shape of the house: who may know whom, and what may be done where. Each rule counts what it looked at, since a
/// rule over nothing passes.
class ArchitectureTest {
    private static final String BASE = "io.fastsafetensors";
    private static final String[] API = {BASE + ".api", BASE + ".error", BASE + ".group..", BASE + ".spi..",
        BASE + ".types"};
    /// Main code of each module, and the fewest classes that it must have for the rules to mean anything.
    private static final Map<String, Integer> MODULES = new TreeMap<>(Map.of("fst-api", 70, "fst-gpu-common", 15,
            "fst-core", 60, "fst-backend-cpu", 10, "fst-backend-cuda-nogds", 1, "fst-backend-cuda-gds", 1,
            "fst-backend-rocm", 2, "fst-storage-http", 20, "fst-testkit", 15, "fst-cli", 12));

    private static JavaClasses all;

    @BeforeAll
    static void read() {
        Path root = Path.of("..").toAbsolutePath().normalize();
        Map<String, Path> classes = new TreeMap<>();
        for (String module : MODULES.keySet()) {
            classes.put(module, root.resolve(module).resolve("target/classes"));
            assertTrue(Files.isDirectory(classes.get(module)), module + " is not built: run the build from the root");
        }
        all = new ClassFileImporter().importPaths(classes.values());
        MODULES.forEach((module, fewest) -> {
            String place = classes.get(module).toUri().toString();
            long found = all.stream().filter(c -> c.getSource().orElseThrow().getUri().toString().startsWith(place))
                    .count();
            assertTrue(found >= fewest, module + " has " + found + " classes, expected " + fewest);
        });
    }

    private static void requireSome(String pattern, int fewest) {
        long found = all.stream().filter(c -> resideInAPackage(pattern).test(c)).count();
        assertTrue(found >= fewest, pattern + " has " + found + " classes, expected " + fewest);
    }

    @Test
    void the_api_knows_nobody() {
        classes().that().resideInAnyPackage(API).should().onlyDependOnClassesThat()
                .resideInAnyPackage(concat(API, "java..", "org.jspecify.annotations")).check(all);
    }

    @Test
    void the_api_is_layered() {
        noClasses().that().resideInAPackage(BASE + ".error").should().dependOnClassesThat()
                .resideInAnyPackage(BASE + ".types", BASE + ".spi..", BASE + ".group..", BASE + ".api").check(all);
        noClasses().that().resideInAPackage(BASE + ".types").should().dependOnClassesThat()
                .resideInAnyPackage(BASE + ".spi..", BASE + ".group..", BASE + ".api").check(all);
        noClasses().that().resideInAPackage(BASE + ".spi..").should().dependOnClassesThat()
                .resideInAnyPackage(BASE + ".group..", BASE + ".api").check(all);
        noClasses().that().resideInAPackage(BASE + ".group..").should().dependOnClassesThat()
                .resideInAnyPackage(BASE + ".api").check(all);
    }

    @Test
    void backends_never_see_core_nor_each_other() {
        noClasses().that().resideInAPackage(BASE + ".backend..").should().dependOnClassesThat()
                .resideInAPackage(BASE + ".core..").check(all);
        slices().matching(BASE + ".backend.(*)..").should().notDependOnEachOther().check(all);
        noClasses().that().resideInAPackage(BASE + ".backend.cuda").should().dependOnClassesThat()
                .resideInAPackage(BASE + ".backend.cuda.gds..").check(all);
    }

    @Test
    void what_gpu_backends_share_knows_the_api_only_and_no_library_of_a_vendor() {
        classes().that().resideInAPackage(BASE + ".gpu..").should().onlyDependOnClassesThat()
                .resideInAnyPackage(BASE + ".gpu..", BASE + ".error", BASE + ".group..", BASE + ".spi..",
                        BASE + ".types", "java..", "org.jspecify.annotations")
                .check(all);
        noClasses().that().resideOutsideOfPackages(BASE + ".gpu..", BASE + ".backend.cuda..", BASE + ".backend.rocm..")
                .should().dependOnClassesThat().resideInAPackage(BASE + ".gpu..").check(all);
        requireSome(BASE + ".gpu..", 15);
    }

    @Test
    void storages_know_the_api_only_and_no_circle() {
        noClasses().that().resideInAPackage(BASE + ".storage..").should().dependOnClassesThat()
                .resideInAnyPackage(BASE + ".core..", BASE + ".backend..", BASE + ".group..", BASE + ".api").check(all);
        noClasses().that().resideInAnyPackage(API).should().dependOnClassesThat()
                .resideInAPackage(BASE + ".storage..").check(all);
        slices().matching(BASE + ".storage.http.(*)..").should().beFreeOfCycles().check(all);
        noClasses().that().resideInAPackage(BASE + ".storage.http.wire").should().dependOnClassesThat()
                .resideInAnyPackage(BASE + ".storage.http", BASE + ".storage.http.web..", BASE + ".storage.http.s3..",
                        BASE + ".storage.http.hub..")
                .check(all);
    }

    @Test
    void core_and_testkit_name_no_backend_and_nobody_else_sees_core() {
        noClasses().that().resideInAnyPackage(BASE + ".core..", BASE + ".testkit..").should().dependOnClassesThat()
                .resideInAPackage(BASE + ".backend..").check(all);
        noClasses().that().resideOutsideOfPackage(BASE + ".core..").should().dependOnClassesThat()
                .resideInAPackage(BASE + ".core..").check(all);
        noClasses().that().resideOutsideOfPackage(BASE + ".backend..").should().dependOnClassesThat()
                .resideInAnyPackage("jcuda..", "org.jocl..").check(all);
    }

    /// Nor do they carry its C along.
    @Test
    void published_modules_use_no_test_support() throws IOException {
        noClasses().should().dependOnClassesThat().resideInAnyPackage(BASE + ".test..", BASE + ".tests..").check(all);
        try (Stream<Path> files = Files.walk(Path.of("../fst-testkit/target/classes"))) {
            assertEquals(List.of(), files.filter(file -> file.toString().matches(".*\\.[ch]")).toList(),
                    "C in the testkit; what an older build left goes with mvn clean");
        }
    }

    @Test
    void data_goes_one_way_through_core() {
        List<String> way =
                List.of("storage", "checkpoint", "header", "dequant", "plan", "read", "transfer", "distribute",
                        "tensor", "load", "stream", "rewrite", "collective");
        for (int i = 0; i < way.size(); i++) {
            requireSome(BASE + ".core." + way.get(i), way.get(i).equals("rewrite") ? 1 : 2);
            for (String later : way.subList(i + 1, way.size())) {
                noClasses().that().resideInAPackage(BASE + ".core." + way.get(i) + "..").should().dependOnClassesThat()
                        .resideInAPackage(BASE + ".core." + later + "..").check(all);
            }
        }
        noClasses().that().resideInAPackage(BASE + ".core.collective").should().dependOnClassesThat()
                .resideInAnyPackage(BASE + ".core.stream", BASE + ".core.rewrite").check(all);
    }

    @Test
    void headers_and_plans_are_pure() {
        noClasses().that().resideInAnyPackage(BASE + ".core.header", BASE + ".core.plan", BASE + ".core.checkpoint")
                .should().dependOnClassesThat()
                .resideInAnyPackage(BASE + ".spi", BASE + ".spi.ffm", "java.lang.foreign")
                .check(all);
        noClasses().that().resideInAPackage(BASE + ".core.plan").should().dependOnClassesThat()
                .resideInAnyPackage("java.io", "java.nio.channels").check(all);
    }

    @Test
    void bytes_of_files_come_through_one_door() {
        // Facts of the machine, not files of users.
        String[] facts = {BASE + ".core.transfer.NumaNode"};
        noClasses().that().resideInAPackage(BASE + ".core..")
                .and()
                .resideOutsideOfPackages(BASE + ".core.storage..", BASE + ".core.write..", BASE + ".core.config..")
                .and(not(namedIn(facts))).should().dependOnClassesThat()
                .belongToAnyOf(Files.class, FileChannel.class, RandomAccessFile.class, FileInputStream.class)
                .check(all);
        noClasses().that().resideInAnyPackage(BASE + ".core.read..", BASE + ".core.tensor", BASE + ".core.load",
                BASE + ".core.stream", BASE + ".core.rewrite", BASE + ".core.collective")
                .should().dependOnClassesThat().resideInAPackage(BASE + ".core.linux..").check(all);
        noClasses().that().resideInAPackage(BASE + ".core.linux..").should().dependOnClassesThat(
                resideInAPackage(BASE + ".core..").and(not(resideInAPackage(BASE + ".core.linux..")))).check(all);
        requireSome(BASE + ".core.storage", 8);
    }

    private static DescribedPredicate<JavaClass> namedIn(String... names) {
        return DescribedPredicate.describe("named " + List.of(names),
                each -> Arrays.stream(names).anyMatch(name -> each.getName().equals(name)));
    }

    @Test
    void jackson_stays_where_json_is_read() {
        noClasses().that()
                .resideOutsideOfPackages(BASE + ".core.header", BASE + ".core.config", BASE + ".storage.http.wire")
                .should()
                .dependOnClassesThat().resideInAPackage("tools.jackson..").check(all);
        long readers = all.stream().filter(c -> c.getDirectDependenciesFromSelf().stream()
                .anyMatch(d -> d.getTargetClass().getPackageName().startsWith("tools.jackson"))).count();
        assertTrue(readers > 0, "nobody reads JSON with Jackson");
    }

    @Test
    void only_ffm_packages_make_restricted_calls() {
        Set<String> restricted = Set.of(Linker.class.getName() + ".nativeLinker",
                MemorySegment.class.getName() + ".reinterpret", Arena.class.getName() + ".global",
                SymbolLookup.class.getName() + ".libraryLookup", SymbolLookup.class.getName() + ".loaderLookup");
        long inside = 0;
        for (JavaClass each : all) {
            for (JavaMethodCall call : each.getMethodCallsFromSelf()) {
                String target = call.getTargetOwner().getName() + "." + call.getTarget().getName();
                if (restricted.contains(target)) {
                    assertTrue(resideInAPackage("..ffm..").test(each), call.getDescription());
                    inside++;
                }
            }
        }
        assertTrue(inside >= 3, "only " + inside + " restricted calls seen");
        noClasses().that().resideOutsideOfPackage("..ffm..").should().dependOnClassesThat()
                .areAssignableTo(Linker.class).orShould().dependOnClassesThat().areAssignableTo(SymbolLookup.class)
                .check(all);
    }

    @Test
    void libraries_never_print_and_log_by_system_logger() {
        noClasses().that(not(resideInAnyPackage(BASE + ".cli..", BASE + ".bench.."))).and()
                .doNotHaveFullyQualifiedName(BASE + ".testkit.StandardStreams").should(ACCESS_STANDARD_STREAMS)
                .because("only the command prints, and the testkit listens for who does").check(all);
        noClasses().should().dependOnClassesThat().resideInAnyPackage("java.util.logging", "org.slf4j..").check(all);
    }

    @Test
    void nothing_throws_throwable_and_no_field_is_open() {
        // JUnit hands a test on as something that may throw anything.
        methods().that().areDeclaredInClassesThat().areNotAssignableTo(InvocationInterceptor.class).should()
                .notDeclareThrowableOfType(Throwable.class).check(all);
        fields().that().arePublic().should().beStatic().andShould().beFinal().check(all);
    }

    @Test
    void every_package_is_null_marked() {
        int packages = 0;
        for (JavaPackage each : all.getPackage(BASE).getSubpackagesInTree()) {
            if (each.getClasses().stream().anyMatch(c -> !c.getSimpleName().equals("package-info"))) {
                assertTrue(each.isAnnotatedWith(NullMarked.class), each.getName() + " is not @NullMarked");
                packages++;
            }
        }
        assertTrue(packages >= 20, "only " + packages + " packages");
    }

    @Test
    void packages_form_no_circles() {
        slices().matching(BASE + ".(**)").should().beFreeOfCycles().check(all);
    }

    @Test
    void services_files_agree_with_module_descriptors() {
        for (String service : List.of("io.fastsafetensors.spi.BackendProvider", "io.fastsafetensors.api.LoaderProvider",
                "io.fastsafetensors.group.ProcessGroupProvider", "io.fastsafetensors.group.GroupsProvider",
                "io.fastsafetensors.spi.storage.StorageProvider")) {
            assertEquals(Services.inDescriptors(MODULES.keySet(), service),
                    Services.inFiles(MODULES.keySet(), service), service);
        }
        assertEquals(5, Services.inFiles(MODULES.keySet(), "io.fastsafetensors.spi.BackendProvider").size());
    }

    private static String[] concat(String[] first, String... more) {
        String[] all = Arrays.copyOf(first, first.length + more.length);
        System.arraycopy(more, 0, all, first.length, more.length);
        return all;
    }
}
