/// Tests of where bytes come from: files that change, names in every charset, storages of third parties.
package io.fastsafetensors.tests.storage;
