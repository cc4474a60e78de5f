/* A key pair for localhost, made for these tests and good for nothing else; valid until 2126. */
#ifndef TESTS_NET_TLS_CERT_H
#define TESTS_NET_TLS_CERT_H

static const char tls_cert[] = "-----BEGIN CERTIFICATE-----\n"
                               "MIIBlDCCATugAwIBAgIUUbrAgT7Dz1CT8dJQtIQil96YEtwwCgYIKoZIzj0EAwIw\n"
                               "FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTAyMjg0M1oYDzIxMjYxMDI4\n"
                               "MDIyODQzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO\n"
                               "PQMBBwNCAASh1HmzaGw48N12t0X3AlpcfEMDx2M/cUMbbNPMdvtS2N+6L9YJoz84\n"
                               "E1mztTD5/8rU5c7gferrmX9YGnDHkynao2kwZzAdBgNVHQ4EFgQUObdZ2SwfpmmY\n"
                               "+jmPqjGSp/mT7KIwHwYDVR0jBBgwFoAUObdZ2SwfpmmY+jmPqjGSp/mT7KIwDwYD\n"
                               "VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID\n"
                               "RwAwRAIgeejn0wQPGZlLEmsSOi7AitiDAWQ2rQPb4Zrpl/1T05MCIEd229FKGr2X\n"
                               "YP+4Ry+KLIsRSKQj/XNStqQPRYUZAiEQ\n"
                               "-----END CERTIFICATE-----\n";

static const char tls_key[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgeZc11C7h+VlNI3F1\n"
                              "/MWsrNsDhEgNWG3Av0A1urzzjAOhRANCAASh1HmzaGw48N12t0X3AlpcfEMDx2M/\n"
                              "cUMbbNPMdvtS2N+6L9YJoz84E1mztTD5/8rU5c7gferrmX9YGnDHkyna\n"
                              "-----END PRIVATE KEY-----\n";

#endif
