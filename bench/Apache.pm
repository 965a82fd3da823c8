package Apache;

# An Apache httpd of our own, in a directory of its own, that is no service:
# a reverse proxy, at /open/ without a question, elsewhere as a resource server
# by mod_auth_openidc, which verifies tokens of RS256 by itself.
#
#   my $apache = apache($backend);   { port, pids }, one process that serves

use strict;
use warnings;

use Bench;
use Exporter qw(import);
use File::Temp ();
use IO::Socket::INET;
use Side;
use Time::HiRes qw(sleep);

our @EXPORT = qw(apache);

my @MODULES = qw(mpm_event authn_core authz_core authz_user proxy proxy_http
                 auth_openidc);


sub apache {
    my ($backend) = @_;

    my $root = File::Temp->newdir('apache-XXXXXX',
                                  DIR => $ProxyUser::Nginx::tmp);
    my $port = free_port();

    write_file("$root/rsa1.pem", Crypt::PK::RSA->new(\pem('rsa1'))
        ->export_key_pem('public_x509'));
    write_file("$root/apache.conf", conf($root, $port, $backend));

    my $program = start_program(
        sub { IO::Socket::INET->new("127.0.0.1:$port") },
        'apache2', '-DFOREGROUND', '-f', "$root/apache.conf");

    return bless { port => $port, root => $root, pid => $program->{pid},
                   also => [children($program->{pid})] };
}


sub children {
    my ($pid) = @_;

    for (1 .. 200) {
        my @child = split ' ', read_file("/proc/$pid/task/$pid/children");
        return ($pid, @child) if @child;
        sleep 0.02;
    }

    die "apache2 has no process that serves\n";
}


# One process with more threads than there are connections. No cache, no
# cookie, no header for the backend: only the question whether it may pass.
sub conf {
    my ($root, $port, $backend) = @_;

    my $modules = join '', map {
        "LoadModule ${_}_module /usr/lib/apache2/modules/mod_$_.so\n"
    } @MODULES;
    my $user = $> == 0 ? "User www-data\nGroup www-data\n" : '';

    return <<"CONF";
ServerRoot $root
ServerName localhost
PidFile $root/apache.pid
DefaultRuntimeDir $root
Mutex pthread
ErrorLog $root/error.log
Listen 127.0.0.1:$port
$modules$user
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
MinSpareThreads 1
MaxSpareThreads 64
MaxConnectionsPerChild 0
KeepAlive On
KeepAliveTimeout 300
MaxKeepAliveRequests 0
OIDCCryptoPassphrase not-used-for-tokens
OIDCOAuthVerifyCertFiles rsa1#$root/rsa1.pem
OIDCOAuthRemoteUserClaim sub
OIDCPassClaimsAs none
<Location />
    AuthType oauth20
    <RequireAll>
        Require claim iss:https://idp.example.com
        Require claim aud:api
        Require claim roles:reader
    </RequireAll>
    ProxyPass http://$backend/ keepalive=On
</Location>
<Location /open/>
    AuthType None
    AuthMerging Off
    Require all granted
    ProxyPass http://$backend/ keepalive=On
</Location>
CONF
}


1;
