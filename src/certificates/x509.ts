/**
 * The X.509 library. It takes a fifth of a second and 20 MB to load, so files that import this one are themselves
 * imported where a certificate is written, with `await import`. Its dependency injection wants the metadata
 * functions on the global `Reflect` to be there first.
 */
import 'reflect-metadata';

export * from '@peculiar/x509';
