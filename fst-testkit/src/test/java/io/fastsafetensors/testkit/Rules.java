package io.fastsafetensors.testkit;

import io.fastsafetensors.testkit.mutant.Breach;
import io.fastsafetensors.testkit.mutant.Breaches;
import io.fastsafetensors.testkit.mutant.Mutant;
import io.fastsafetensors.testkit.rank.RankBreach;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Nested;

/// The rules as the code has them.
final class Rules {
    private static final List<Class<?>> SUITES = List.of(BackendConformance.class, ProcessGroupConformance.class,
            StorageConformance.class);

    private Rules() {
    }

    /// Titles by id, of what backends do.
    ///
    /// @throws IllegalStateException if an id occurs twice, or a test has none or another one in its method's name
    static Map<String, String> inCode() {
        return of(List.of(BackendConformance.class));
    }

    /// Of what storages do.
    static Map<String, String> ofStorages() {
        return of(List.of(StorageConformance.class));
    }

    /// Of transports.
    static Map<String, String> ofRanks() {
        return of(List.of(ProcessGroupConformance.class));
    }

    /// Of all suites.
    static Map<String, String> allInCode() {
        return of(SUITES);
    }

    private static Map<String, String> of(List<Class<?>> suites) {
        Map<String, String> rules = new TreeMap<>();
        for (Class<?> group : groups(suites)) {
            if (group.isAnnotationPresent(Nested.class)) {
                Arrays.stream(group.getSuperclass().getDeclaredMethods()).filter(Rules::isTest)
                        .forEach(method -> add(rules, method));
            }
        }
        return rules;
    }

    /// The method of a rule.
    static Method method(String id) {
        return groups(SUITES).stream().filter(group -> group.isAnnotationPresent(Nested.class))
                .flatMap(group -> Arrays.stream(group.getSuperclass().getDeclaredMethods())).filter(Rules::isTest)
                .filter(method -> method.getAnnotation(DisplayName.class).value().startsWith(id + " ")).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no rule " + id));
    }

    /// Defects by the rule that they are made for.
    static Map<String, List<String>> mutants() {
        Map<String, List<String>> mutants = new TreeMap<>();
        Mutant.all().forEach(mutant -> mutants.computeIfAbsent(mutant.rule(), _ -> new ArrayList<>())
                .add(mutant.defect()));
        Breaches.all().stream().filter(breach -> breach.rules().getFirst().length() == 4)
                .forEach(breach -> mutants.computeIfAbsent(breach.rules().getFirst(), _ -> new ArrayList<>())
                        .add(breach.name()));
        RankBreach.all().forEach(breach -> mutants.computeIfAbsent(breach.rule(), _ -> new ArrayList<>())
                .add(breach.name()));
        mutants.replaceAll((_, names) -> names.stream().map(name -> name.replace(Breach.INDEPENDENT, "")).distinct()
                .toList());
        return mutants;
    }

    /// The ids of backends' rules that begin with one of these: groups and single rules.
    static List<String> ids(List<String> prefixes) {
        return prefixes.stream().flatMap(prefix -> inCode().keySet().stream().filter(id -> id.startsWith(prefix)))
                .distinct().toList();
    }

    /// The groups of all suites.
    static List<Class<?>> groups() {
        return groups(SUITES);
    }

    private static List<Class<?>> groups(List<Class<?>> suites) {
        return suites.stream().<Class<?>>flatMap(suite -> Stream.of(suite.getDeclaredClasses())).toList();
    }

    private static boolean isTest(Method method) {
        return Arrays.stream(method.getAnnotations())
                .anyMatch(a -> a.annotationType().getSimpleName().matches("Test|TestFactory"));
    }

    private static void add(Map<String, String> rules, Method method) {
        DisplayName name = method.getAnnotation(DisplayName.class);
        if (name == null || !name.value().matches("[A-Z]-\\d\\d .+")) {
            throw new IllegalStateException(method + " has no rule id");
        }
        String id = name.value().substring(0, 4).toLowerCase(Locale.ROOT).replace('-', '_') + "_";
        if (!method.getName().startsWith(id)) {
            // Build tools report methods by their names.
            throw new IllegalStateException(method + " does not start with its rule's id: " + id);
        }
        if (rules.put(name.value().substring(0, 4), name.value().substring(5)) != null) {
            throw new IllegalStateException(name.value() + ": the id is taken");
        }
    }
}
