package ProxyUser::Scim;

# A directory, as the tests of SCIM need one: an nginx with a SCIM location
# beside one for people, requests as Perl data, and what Redis holds of them.
#
#   my $nginx = scim_nginx(roles => "...", http => ..., server => ...);
#   my $r = scim('PATCH', "/Users/$id", { ... });
#       { status, type (scimType), json, headers, body }
#   scim('GET', '/Users', undef, 'If-Match' => '*', token => '...')
#   my $id = make_user('ada@example.com', active => JSON::PP::false, ...)
#   my $id = make_group('Editors', @user_ids)
#   patch("/Users/$id", [replace => 'active', $value], ...)
#   field($id, 'state'), roles_of($id), log_ops(3)
#   set_token($name, $secret)           the file is written at scim_nginx
#   uri_escape('userName eq "a"')

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Exporter qw(import);
use JSON::PP ();

use ProxyUser::Nginx qw(start_nginx write_file);
use ProxyUser::Redis qw(redis);
use ProxyUser::Store qw(store_http store_server);

our @EXPORT = qw(
    scim_nginx scim_server scim scim_on make_user make_group patch field
    roles_of log_ops log_entries uri_escape token_file $SECRET
    $CORE_USER $CORE_GROUP $ENTERPRISE $PATCH_OP
);

our $SECRET = 'a-token-of-a-directory';
our $CORE_USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
our $CORE_GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
our $ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
our $PATCH_OP = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

my $json = JSON::PP->new->utf8->allow_nonref->canonical;
my $nginx;
my $connection;


# The file with one token more; its path.
sub token_file {
    my ($name, @lines) = @_;

    @lines = ('okta:' . sha256_hex($SECRET),
              'entra:' . sha256_hex("$SECRET-2")) unless @lines;
    return write_file($name, join '', map { "$_\n" } @lines);
}


sub scim_server {
    my (%opt) = @_;
    my $file = token_file('scim-tokens');

    return store_server(<<"END" . ($opt{server} // ''));
location /scim/v2/ {
    proxy_user_scim token_file=$file;
    @{[ $opt{roles} // '' ]}
    @{[ $opt{scim} // '' ]}
}
END
}


sub scim_nginx {
    my (%opt) = @_;

    $nginx->stop if $nginx;
    undef $connection;
    my $server = scim_server(%opt);
    my $http = store_http(%opt);
    delete @opt{qw(roles scim server http url redis)};
    return $nginx = start_nginx(%opt, http => $http, server => $server);
}


sub uri_escape {
    my ($text) = @_;

    utf8::encode($text) if utf8::is_utf8($text);
    $text =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge;
    return $text;
}


sub scim { scim_on($nginx, @_) }


sub scim_on {
    my ($on, $method, $path, $body, %header) = @_;

    my $token = exists $header{token} ? delete $header{token} : $SECRET;
    my %opt = (headers => [['User-Agent', 'a directory']], timeout => 30);

    $opt{token} = $token if defined $token;
    $opt{body} = ref $body ? $json->encode($body) : $body if defined $body;
    push @{ $opt{headers} }, ['Content-Type' => 'application/scim+json']
        if defined $body && !exists $header{'Content-Type'};
    push @{ $opt{headers} }, [$_ => $header{$_}]
        for grep { defined $header{$_} } sort keys %header;
    $opt{head} = 1 if $method eq 'HEAD';

    my $c = $on->connect;
    $c->ask($method, "/scim/v2$path", %opt);
    my $r = $c->answer(timeout => 30, head => $opt{head})
        or die "no answer to $method $path\n" . $on->log;
    $c->close;

    $r->{json} = eval { $json->decode($r->{body}) };
    $r->{type} = ref $r->{json} eq 'HASH' ? $r->{json}{scimType} // '' : '';
    return $r;
}


sub make_user {
    my ($name, %more) = @_;
    my $r = scim('POST', '/Users', { schemas => [$CORE_USER],
                                     userName => $name, %more });

    die "no user $name: $r->{raw}\n" unless $r->{status} == 201;
    return $r->{json}{id};
}


sub make_group {
    my ($name, @members) = @_;
    my $r = scim('POST', '/Groups', { schemas => [$CORE_GROUP],
        displayName => $name, members => [map { { value => $_ } } @members] });

    die "no group $name: $r->{raw}\n" unless $r->{status} == 201;
    return $r->{json}{id};
}


# Operations as [op, path or undef, value or nothing].
sub patch {
    my ($path, @operations) = @_;
    my @list;

    for (@operations) {
        my ($op, $where, @value) = @$_;
        push @list, { op => $op, defined $where ? (path => $where) : (),
                      @value ? (value => $value[0]) : () };
    }

    return scim('PATCH', $path, { schemas => [$PATCH_OP],
                                  Operations => \@list });
}


sub field { redis('HGET', "{pu}:user:$_[0]", $_[1]) }


sub roles_of {
    return join ' ', sort map { s/@\d+//r } split / /, field($_[0], 'roles')
        // '';
}


# The last entries of the log, oldest first.
sub log_entries {
    my $reply = redis('XREVRANGE', '{pu}:log', '+', '-', 'COUNT', $_[0]);
    return map { +{ @{ $_->[1] } } } reverse @$reply;
}

sub log_ops { join ' ', map { $_->{op} } log_entries($_[0]) }


1;
