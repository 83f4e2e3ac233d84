/// Objects of S3 and of services that speak its protocol: signatures, credentials, listings.
@NullMarked
package io.fastsafetensors.storage.http.s3;

import org.jspecify.annotations.NullMarked;
