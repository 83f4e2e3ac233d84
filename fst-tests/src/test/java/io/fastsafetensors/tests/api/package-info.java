/// Tests of what a program calls first: values, partial reads, files in memory.
package io.fastsafetensors.tests.api;
