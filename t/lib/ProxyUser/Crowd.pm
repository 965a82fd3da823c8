package ProxyUser::Crowd;

# Many users with an API key each, and how many of them a zone holds.
#
#   my $nginx = start_nginx(..., server => crowd_server());
#   my $n = held($redis, $nginx, 5000);
#                                   of so many, asked for one after the other,
#                                   the last so many are cached
#   bytes_of('2m')
#
# Each has a name, two roles, an issuer and a subject as they really are.

use strict;
use warnings;

use Digest::SHA qw(sha256 sha256_hex);
use Exporter qw(import);
use MIME::Base64 qw(encode_base64url);

use ProxyUser::Redis qw(encode_command read_reply);

our @EXPORT = qw(crowd_server crowd_key held bytes_of);

my $ISSUER = 'https://login.example.com/realms/main';


sub crowd_server {
    return <<'CONF';
location /crowd {
    proxy_user on;
    proxy_user_credential api_key=X-API-Key;
    add_header X-Cache "$proxy_user_cache" always;
    try_files /none =404;
}
CONF
}


sub bytes_of {
    my ($n, $unit) = $_[0] =~ /^(\d+)([km]?)$/;

    return $n * { '' => 1, k => 1024, m => 1024 * 1024 }->{$unit};
}


# As the command makes them.
sub crowd_key {
    my ($n) = @_;

    my $key = sprintf 'puk_%010d_%s', $n,
        substr encode_base64url(sha256("crowd $n")), 0, 43;
    return $key . substr sha256_hex($key), 0, 6;
}


sub seed {
    my ($n) = @_;

    my $id = sprintf 'u_%s', substr encode_base64url(sha256("user $n")), 0, 22;
    my $digest = encode_base64url(sha256(crowd_key($n)));

    return (
        ['HSET', "{pu}:user:$id", name => "Given Family $n", type => 'human',
         state => 'active', issuer => $ISSUER, version => 3,
         subject => sprintf('7d0c2f5e-3b1a-4c68-9e57-%012d', $n),
         roles => 'editor@1700000000 reader@1700000000', epoch => 0,
         created => 1700000000, modified => 1700000000, source => 'cli'],
        ['ZADD', '{pu}:users', 1700000000, $id],
        ['HSET', "{pu}:handle:key:$digest", user => $id,
         id => sprintf('%010d', $n), state => 'active',
         created => 1700000000],
        ['SADD', "{pu}:handles:$id", "key:$digest"]);
}


sub held {
    my ($redis, $nginx, $n) = @_;

    my $client = $redis->connection;
    for (my $i = 1; $i <= $n; $i += 500) {
        my @command = map { seed($_) } $i .. ($i + 499 > $n ? $n : $i + 499);
        print $client join '', map { encode_command(@$_) } @command;
        read_reply($client) for @command;
    }

    my $c = $nginx->connect;
    my $cache = sub {
        $c->ask('GET', '/crowd', headers => [['X-API-Key', crowd_key($_[0])]]);
        return $c->answer->{headers}{'x-cache'} // '';
    };

    # until the change log has been read nothing is cached
    for (1 .. 500) {
        last if $cache->(1) eq 'hit';
        select undef, undef, undef, 0.02;
    }

    $cache->($_) for 1 .. $n;

    my $held = 0;
    $held++ while $held < $n && $cache->($n - $held) eq 'hit';
    return $held;
}


1;
